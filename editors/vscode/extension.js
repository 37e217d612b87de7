// Starts `culvert lsp` for YAML files and restarts it when it is asked to, or when its path changes.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function start() {
  const command = vscode.workspace.getConfiguration("culvert").get("path") || "culvert";
  client = new LanguageClient(
    "culvert",
    "Culvert",
    { command, args: ["lsp"] },
    {
      documentSelector: [
        { scheme: "file", language: "yaml" },
        { scheme: "file", pattern: "**/{samples,maps,tables}/**" },
      ],
    },
  );
  return client.start().catch((err) => {
    vscode.window.showErrorMessage(`Culvert cannot be started (${err.message}): install it, or set culvert.path.`);
  });
}

async function restart() {
  if (client) {
    await client.stop().catch(() => undefined);
  }
  await start();
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand("culvert.restart", restart),
    vscode.workspace.onDidChangeConfiguration((e) => (e.affectsConfiguration("culvert.path") ? restart() : undefined)),
  );
  await start();
};

exports.deactivate = () => (client ? client.stop() : undefined);
