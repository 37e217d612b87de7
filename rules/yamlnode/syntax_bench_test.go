package yamlnode

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// BenchmarkSyntaxError searches for the mistake in the largest files that are read.
func BenchmarkSyntaxError(b *testing.B) {
	long := "a:\n" + strings.Repeat("  key: value\n  # note\n  - item\n", 30_000)
	for name, text := range map[string]string{
		"keys of the top level": strings.Repeat("key: value\n", 50_000) + "b: 'x' y\n",
		"one block":             long[:900_000] + "\n b: 'x' y\n",
		"open bracket":          "a: [\n" + strings.Repeat("  1,\n", 100_000),
		"open brackets":         strings.Repeat("[\n", 30_000),
		"one long line":         "a: 'x' " + strings.Repeat("y", 900_000),
		"wide":                  strings.Repeat("- ", 400_000) + "'x' y",
		"braces":                strings.Repeat("{", 5000) + "\n",
		"flow":                  strings.Repeat("a: [b\n", 20_000),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var list diag.List
				Parse("f", []byte(text), &list)
			}
		})
	}
}
