-- What an implementer's neovim does with a rule file: start the server, show findings, ask for a hover and for completion.
vim.cmd("edit rules/anc-registration.yaml")
vim.bo.filetype = "yaml"
local id = vim.lsp.start_client({ name = "culvert", cmd = { vim.env.CULVERT, "lsp" }, root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(0, id)

local function fail(what)
  io.stdout:write("no " .. what .. "\n")
  vim.cmd("cquit")
end

if not vim.wait(60000, function()
  local client = vim.lsp.get_client_by_id(id)
  return client and client.initialized
end, 20) then
  fail("server")
end

local line = vim.fn.search("Village:") - 1
vim.api.nvim_buf_set_text(0, line, 8, line, 15, { "Vilage" })
if not vim.wait(60000, function()
  return #vim.diagnostic.get(0) > 0
end, 20) then
  fail("finding")
end
for _, d in ipairs(vim.diagnostic.get(0)) do
  io.stdout:write("finding " .. tostring(d.code or (d.user_data and d.user_data.lsp and d.user_data.lsp.code)) .. "\n")
end

local at = { textDocument = vim.lsp.util.make_text_document_params(), position = { line = line, character = 9 } }
local answers = vim.lsp.buf_request_sync(0, "textDocument/completion", at, 60000)
for _, answer in pairs(answers or {}) do
  for _, item in ipairs(answer.result.items) do
    io.stdout:write("completion " .. item.label .. "\n")
  end
end

vim.api.nvim_buf_set_text(0, line, 8, line, 14, { "Village" })
answers = vim.lsp.buf_request_sync(0, "textDocument/hover", at, 60000)
for _, answer in pairs(answers or {}) do
  if answer.result then
    io.stdout:write("hover " .. answer.result.contents.value:gsub("%*", "") .. "\n")
  end
end
vim.lsp.stop_client(id)
vim.cmd("qall!")
