// Bundles the extension into out/, with the schemas and the licence of the repository.
"use strict";

const fs = require("fs");
const path = require("path");
const esbuild = require("esbuild");

const root = path.join(__dirname, "..", "..");
fs.mkdirSync(path.join(__dirname, "schemas"), { recursive: true });
for (const name of ["rule.schema.json", "culvert.schema.json"]) {
  fs.copyFileSync(path.join(root, "schemas", name), path.join(__dirname, "schemas", name));
}
fs.copyFileSync(path.join(root, "LICENSE"), path.join(__dirname, "LICENSE"));
esbuild.buildSync({
  entryPoints: [path.join(__dirname, "extension.js")],
  outfile: path.join(__dirname, "out", "extension.js"),
  bundle: true,
  platform: "node",
  target: "node18",
  external: ["vscode"],
  minify: true,
});
