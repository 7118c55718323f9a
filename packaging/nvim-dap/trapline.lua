-- trapline for nvim-dap (https://github.com/mfussenegger/nvim-dap).
--
-- Put this file into lua/ of your configuration and call require("trapline").setup(), or dofile() it from its place.
-- `trapline dap` speaks DAP on its stdin and stdout, and starts the daemon where none runs.
local M = {}

-- The program to start: the newest choice is offered again.
local last_program

local function ask_program()
  local dap = require("dap")
  local path = vim.fn.input({
    prompt = "Program: ",
    default = last_program or (vim.fn.getcwd() .. "/"),
    completion = "file",
  })
  if path == nil or path == "" then
    return dap.ABORT
  end
  last_program = path
  return path
end

local function ask_arguments()
  -- One string: trapline splits it as a shell does.
  return vim.fn.input("Arguments: ")
end

M.configurations = {
  {
    name = "Launch",
    type = "trapline",
    request = "launch",
    program = ask_program,
    cwd = "${workspaceFolder}",
  },
  {
    name = "Launch with arguments, stop at main",
    type = "trapline",
    request = "launch",
    program = ask_program,
    args = ask_arguments,
    cwd = "${workspaceFolder}",
    stopOnEntry = "main",
  },
  {
    -- Not stopped until a breakpoint, or dap.pause(). dap.disconnect() leaves it running.
    name = "Attach to a process",
    type = "trapline",
    request = "attach",
    pid = function()
      return require("dap.utils").pick_process()
    end,
  },
}

-- options.command: path of `trapline` where it is not on PATH. options.filetypes: for which the configurations are added.
function M.setup(options)
  options = options or {}
  local dap = require("dap")
  dap.adapters.trapline = {
    type = "executable",
    command = options.command or "trapline",
    args = { "dap" },
    options = { initialize_timeout_sec = 15 },
  }
  for _, filetype in ipairs(options.filetypes or { "c", "cpp", "rust", "zig", "d" }) do
    dap.configurations[filetype] = vim.list_extend(dap.configurations[filetype] or {}, M.configurations)
  end
end

return M
