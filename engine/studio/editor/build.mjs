// Bundles the editor into ../static/editor.js, with the licences of what is in it. README.md says when.
import { build } from "esbuild";
import { readFileSync, readdirSync, writeFileSync, existsSync } from "node:fs";

const out = await build({
  entryPoints: ["main.js"], bundle: true, minify: true, format: "iife", globalName: "CulvertEditor", target: "es2022",
  legalComments: "none", charset: "utf8", metafile: true, write: false,
});
const packages = [...new Set(Object.keys(out.metafile.inputs).map((f) => f.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean))].sort();
let licences = "The editor of culvert studio (editor.js) is made of these packages:\n";
const names = [];
for (const name of packages) {
  const about = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const file = readdirSync(`node_modules/${name}`).find((f) => /^licen[cs]e/i.test(f));
  if (!file) throw new Error(`${name} comes without its licence`);
  names.push(`${name} ${about.version}`);
  licences += `\n== ${name} ${about.version} (${about.license})\n\n${readFileSync(`node_modules/${name}/${file}`, "utf8").trim()}\n`;
}
if (!existsSync("../static")) throw new Error("run it in engine/studio/editor");
writeFileSync("../static/editor.js", `/* CodeMirror (https://codemirror.net), MIT licence: see editor.licences.txt. Made by engine/studio/editor/build.mjs of ${names.join(", ")}. */\n${out.outputFiles[0].text}`);
writeFileSync("../static/editor.licences.txt", licences);
console.log(`${out.outputFiles[0].contents.length} bytes of ${packages.length} packages`);
