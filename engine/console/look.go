package console

import "fmt"

// Look gives a file of how the console looks (style.css, icon.svg), for other pages of Culvert.
func Look(name string) ([]byte, error) {
	text, err := assets.ReadFile("static/" + name)
	if err != nil {
		return nil, fmt.Errorf("there is no file %s of the console's look: %w", name, err)
	}
	return text, nil
}
