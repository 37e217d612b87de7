// Package language shows texts in the language of whoever reads them: English, French or Portuguese.
//
// The code says everything in English, where it happens, and the journal keeps what was said in English: a failure is
// written once, and read later by people of several languages. So a text is translated when it is shown. A catalog
// (texts/fr.yaml, texts/pt.yaml) has the English sentence as the code writes it, with its verbs (%q, %d, %s), and how the
// other language says it. A sentence that is already made is recognised by the words that stand between its
// verbs, and what stood in their place (names, values, counts) goes over unchanged, or is looked up itself where it is a
// sentence of its own.
//
// What no catalog knows stays English: a text is never lost. That no text of the code lacks a translation is what the
// test of this package sees to; `go test ./engine/language -update` lists the new ones in the catalogs.
//
// What keys, functions and commands are for stands in files of its own, descriptions/fr.yaml and descriptions/pt.yaml; the
// pages on codes, paragraph by paragraph, in pages/fr.yaml and pages/pt.yaml.
//
// Another language is another file in texts/, with its date and number formats at the top, and one in descriptions/.
package language
