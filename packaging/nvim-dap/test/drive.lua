-- Drives nvim-dap with trapline's configuration in a headless Neovim; see run.sh. Prints `ok NAME` or `FAIL NAME` a part.
local work = vim.env.TRAPLINE_TEST_FOLDER
local source = work .. "/orders.cpp"
local counter = work .. "/counter.cpp"
local passed, failed = 0, 0

local function say(text)
  io.stdout:write(text .. "\n")
end

-- Lets Neovim's loop run until `look` gives something true; what it gave.
local function wait(what, look, timeout)
  local seen
  local done = vim.wait(timeout or 20000, function()
    seen = look()
    return seen
  end, 20)
  if not done then
    error("not seen: " .. what, 2)
  end
  return seen
end

local function part(name, body)
  if failed > 0 then
    return -- a later one would only show the earlier one's trouble
  end
  local good, problem = xpcall(body, debug.traceback)
  if good then
    passed = passed + 1
    say("  ok    " .. name)
  else
    failed = failed + 1
    say("  FAIL  " .. name .. "\n" .. tostring(problem))
  end
end

local function line_of(file, text)
  for number, line in ipairs(vim.fn.readfile(file)) do
    if line:find(text, 1, true) then
      return number
    end
  end
  error(text .. " is not in " .. file)
end

local function equal(seen, expected, what)
  if seen ~= expected then
    error(("%s: %s, expected %s"):format(what or "value", vim.inspect(seen), vim.inspect(expected)), 2)
  end
end

vim.opt.runtimepath:append(vim.env.NVIM_DAP)
local dap = require("dap")
local trapline = dofile(vim.env.TRAPLINE_LUA)
trapline.setup({ command = vim.env.TRAPLINE })

-- Stops, output and ends, in the order they came.
local stops, ends, output = {}, 0, ""
dap.listeners.after.event_stopped["test"] = function(_, body)
  table.insert(stops, body)
end
dap.listeners.after.event_output["test"] = function(_, body)
  output = output .. body.output
end
dap.listeners.after.event_terminated["test"] = function()
  ends = ends + 1
end

-- The answer of one request, waited for.
local function ask(command, arguments)
  local answer, problem
  dap.session():request(command, arguments, function(err, body)
    problem, answer = err, body or {}
  end)
  wait("an answer to " .. command, function()
    return answer or problem
  end)
  if problem then
    error(command .. ": " .. vim.inspect(problem))
  end
  return answer
end

local function next_stop(number)
  wait("stop " .. number, function()
    return #stops >= number
  end)
  wait("the frame of stop " .. number, function()
    local session = dap.session()
    return session and session.stopped_thread_id and session.current_frame
  end)
  return stops[number]
end

local function locals(frame)
  local values = {}
  for _, scope in ipairs(ask("scopes", { frameId = frame }).scopes) do
    if scope.presentationHint == "locals" or scope.presentationHint == "arguments" then
      for _, variable in ipairs(ask("variables", { variablesReference = scope.variablesReference }).variables) do
        values[variable.name] = variable
      end
    end
  end
  return values
end

local function configuration(name)
  for _, one in ipairs(dap.configurations.cpp) do
    if one.name == name then
      return vim.deepcopy(one)
    end
  end
  error("no configuration " .. name)
end

local total = line_of(source, "order.quantity * order.cents")

part("the configurations are there", function()
  equal(dap.adapters.trapline.type, "executable")
  equal(#dap.configurations.cpp, 3)
  equal(#dap.configurations.rust, 3)
end)

part("launch to a breakpoint with a condition", function()
  vim.cmd("edit " .. source)
  vim.api.nvim_win_set_cursor(0, { total, 0 })
  dap.set_breakpoint("order.quantity >= 10")
  local launch = configuration("Launch")
  launch.program = work .. "/orders"
  launch.cwd = work
  dap.run(launch)
  local stop = next_stop(1)
  equal(stop.reason, "breakpoint")
  equal(dap.session().current_frame.line, total)
  equal(vim.api.nvim_win_get_cursor(0)[1], total, "the cursor's line")
end)

part("the stack and the values", function()
  local frames = ask("stackTrace", { threadId = dap.session().stopped_thread_id }).stackFrames
  equal((frames[1].name:gsub("%(.*", "")), "price_of")
  equal((frames[2].name:gsub("%(.*", "")), "fill")
  local order = locals(frames[1].id).order
  local members = {}
  for _, member in ipairs(ask("variables", { variablesReference = order.variablesReference }).variables) do
    members[member.name] = member.value
  end
  equal(members.quantity, "12")
  equal(ask("evaluate", { expression = "order.quantity * 2", frameId = frames[1].id, context = "repl" }).result, "24")
end)

part("steps", function()
  dap.step_over()
  equal(next_stop(2).reason, "step")
  wait("the next line", function()
    return dap.session().current_frame and dap.session().current_frame.line == total + 1
  end)
  equal(locals(dap.session().current_frame.id).total.value, "10200")
  dap.step_out()
  next_stop(3)
  wait("the caller", function()
    local frame = dap.session().current_frame
    return frame and frame.name:match("^fill")
  end)
end)

part("the program's terminal and its end", function()
  dap.clear_breakpoints()
  dap.continue()
  wait("the end", function()
    return ends == 1
  end)
  -- Neovim has a terminal (runInTerminal): the program printed there.
  local shown = wait("the program's last line", function()
    for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
      local text = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n")
      if vim.bo[buffer].buftype == "terminal" and text:find("refused", 1, true) then
        return text
      end
    end
  end)
  assert(shown:find("order 2: 12 tongs for 91.80", 1, true), shown)
  wait("the session is over", function()
    return dap.session() == nil
  end)
end)

part("attach, and leave it running", function()
  vim.cmd("edit " .. counter)
  vim.api.nvim_win_set_cursor(0, { line_of(counter, "MARK: count"), 0 })
  dap.set_breakpoint()
  local attach = configuration("Attach to a process")
  local pid = tonumber(vim.env.TRAPLINE_TEST_PID)
  attach.pid = pid
  local before = #stops
  dap.run(attach)
  equal(next_stop(before + 1).reason, "breakpoint")
  equal((dap.session().current_frame.name:gsub("%(.*", "")), "count")
  dap.disconnect({ terminateDebuggee = false })
  wait("nobody traces it", function()
    return table.concat(vim.fn.readfile("/proc/" .. pid .. "/status"), "\n"):find("TracerPid:\t0", 1, true)
  end)
end)

say(("%d passed, %d failed"):format(passed, failed))
vim.cmd(failed == 0 and "qall!" or "cquit!")
