package lsp

import "encoding/json"

// The part of the Language Server Protocol 3.17 that is spoken here; the names are the protocol's
// own. https://microsoft.github.io/language-server-protocol

// Position counts from 0, characters in UTF-16 code units.
type Position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// Range ends before End.
type Range struct {
	Start Position `json:"start"`
	End   Position `json:"end"`
}

// Location is a range in a file.
type Location struct {
	URI   string `json:"uri"`
	Range Range  `json:"range"`
}

// TextEdit replaces a range.
type TextEdit struct {
	Range   Range  `json:"range"`
	NewText string `json:"newText"`
}

// WorkspaceEdit holds edits by file.
type WorkspaceEdit struct {
	Changes map[string][]TextEdit `json:"changes"`
}

// DocumentID names a file.
type DocumentID struct {
	URI     string `json:"uri"`
	Version int    `json:"version,omitempty"`
}

// At is a place in a file, the parameters of most requests.
type At struct {
	TextDocument DocumentID `json:"textDocument"`
	Position     Position   `json:"position"`
}

// Diagnostic is a finding.
type Diagnostic struct {
	Range    Range               `json:"range"`
	Severity int                 `json:"severity"` // 1 error, 2 warning
	Code     string              `json:"code"`
	Source   string              `json:"source"`
	Message  string              `json:"message"`
	Related  []DiagnosticRelated `json:"relatedInformation,omitempty"`
}

// DiagnosticRelated is a second place of a finding.
type DiagnosticRelated struct {
	Location Location `json:"location"`
	Message  string   `json:"message"`
}

// PublishDiagnostics says what is wrong in a file.
type PublishDiagnostics struct {
	URI         string       `json:"uri"`
	Version     int          `json:"version,omitempty"`
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// Kinds of completion items, as the protocol numbers them.
const (
	kindFunction = 3
	kindField    = 5
	kindVariable = 6
	kindProperty = 10
	kindValue    = 12
	kindEnum     = 13
	kindKeyword  = 14
	kindFile     = 17
	kindMember   = 20
	kindConstant = 21
)

// CompletionItem is one proposal.
type CompletionItem struct {
	Label         string         `json:"label"`
	Kind          int            `json:"kind,omitempty"`
	Detail        string         `json:"detail,omitempty"`
	Documentation *MarkupContent `json:"documentation,omitempty"`
	SortText      string         `json:"sortText,omitempty"`
	FilterText    string         `json:"filterText,omitempty"`
	TextEdit      *TextEdit      `json:"textEdit,omitempty"`
}

// CompletionList is an answer that may hold only the first of many.
type CompletionList struct {
	IsIncomplete bool             `json:"isIncomplete"`
	Items        []CompletionItem `json:"items"`
}

// MarkupContent is Markdown.
type MarkupContent struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Hover is what is told of a place.
type Hover struct {
	Contents MarkupContent `json:"contents"`
	Range    *Range        `json:"range,omitempty"`
}

// CodeActionParams asks for what can be done about a range.
type CodeActionParams struct {
	TextDocument DocumentID `json:"textDocument"`
	Range        Range      `json:"range"`
}

// CodeAction is a change that is offered.
type CodeAction struct {
	Title       string         `json:"title"`
	Kind        string         `json:"kind"` // quickfix or refactor.rewrite
	Diagnostics []Diagnostic   `json:"diagnostics,omitempty"`
	IsPreferred bool           `json:"isPreferred,omitempty"`
	Edit        *WorkspaceEdit `json:"edit"`
}

// InlayHint is shown behind a place of the text.
type InlayHint struct {
	Position    Position `json:"position"`
	Label       string   `json:"label"`
	PaddingLeft bool     `json:"paddingLeft"`
}

// SignatureHelp is how the function at a place is called.
type SignatureHelp struct {
	Signatures      []SignatureInformation `json:"signatures"`
	ActiveParameter int                    `json:"activeParameter"`
}

// SignatureInformation is one way to call a function.
type SignatureInformation struct {
	Label         string                 `json:"label"`
	Documentation *MarkupContent         `json:"documentation,omitempty"`
	Parameters    []ParameterInformation `json:"parameters,omitempty"`
}

// ParameterInformation names a parameter as the signature writes it.
type ParameterInformation struct {
	Label string `json:"label"`
}

// DocumentSymbol is one part of a file, for outlines.
type DocumentSymbol struct {
	Name           string           `json:"name"`
	Detail         string           `json:"detail,omitempty"`
	Kind           int              `json:"kind"`
	Range          Range            `json:"range"`
	SelectionRange Range            `json:"selectionRange"`
	Children       []DocumentSymbol `json:"children,omitempty"`
}

// initializeParams is what a client tells of itself.
type initializeParams struct {
	RootURI          string            `json:"rootUri"`
	Locale           string            `json:"locale"` // of the editor, such as fr or pt-PT
	WorkspaceFolders []workspaceFolder `json:"workspaceFolders"`
	Capabilities     struct {
		Workspace struct {
			DidChangeWatchedFiles struct {
				DynamicRegistration bool `json:"dynamicRegistration"`
			} `json:"didChangeWatchedFiles"`
		} `json:"workspace"`
	} `json:"capabilities"`
}

type workspaceFolder struct {
	URI string `json:"uri"`
}

// capabilities is what the server can do, as initialize answers it.
func capabilities() map[string]any {
	return map[string]any{
		"positionEncoding": "utf-16",
		"textDocumentSync": map[string]any{"openClose": true, "change": 1,
			"save": map[string]any{"includeText": false}},
		"completionProvider":         map[string]any{"triggerCharacters": []string{".", ":", " ", "{", "\"", "'", "("}},
		"hoverProvider":              true,
		"signatureHelpProvider":      map[string]any{"triggerCharacters": []string{"(", ","}},
		"definitionProvider":         true,
		"referencesProvider":         true,
		"renameProvider":             map[string]any{"prepareProvider": true},
		"codeActionProvider":         map[string]any{"codeActionKinds": []string{"quickfix", "refactor.rewrite"}},
		"documentFormattingProvider": true,
		"documentSymbolProvider":     true,
		"inlayHintProvider":          true,
	}
}

// decode reads the parameters of a request.
func decode[T any](raw *json.RawMessage) (T, error) {
	var v T
	if raw == nil {
		return v, nil
	}
	err := json.Unmarshal(*raw, &v)
	return v, err
}
