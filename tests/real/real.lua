-- What the live suite has the Lua interpreter do: calls, an error through pcall, tables, a sort, a coroutine.
local function fib(n)
  if n < 2 then return n end
  return fib(n - 1) + fib(n - 2)
end
print("fib", fib(12))
local ok, why = pcall(function() error("boom") end)
print("pcall", ok, why)
local squares = {}
for i = 1, 100 do squares[i] = (i * 37) % 101 end
table.sort(squares, function(a, b) return a < b end)
print("sorted", squares[1], squares[50], squares[100])
local names = setmetatable({}, { __index = function(_, key) return key .. "!" end })
print("index", names.hello, string.format("%5.2f", 3.14159))
local producer = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
print("coroutine", producer(), producer(), producer())
os.exit(3, true)
