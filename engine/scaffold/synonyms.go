package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// concept is what several words mean alike, in the languages of those who write forms: English,
// French, Portuguese and Spanish. Only words that mean nothing else are here: nom is a family name
// or any name, and so stands nowhere.
type concept struct {
	name  string
	words []string
}

var concepts = []concept{
	{"date of birth", []string{"date of birth", "birth date", "birthdate", "birthday", "dob", "date de naissance", "ddn",
		"data de nascimento", "fecha de nacimiento", "date naissance", "data nascimento", "fecha nacimiento"}},
	{"sex", []string{"sex", "gender", "sexe", "sexo", "genre", "genero"}},
	{"village", []string{"village", "aldeia", "aldea", "village name", "name of village", "nom du village",
		"nome da aldeia"}},
	{"phone", []string{"phone", "phone number", "phone no", "telephone", "telephone number", "mobile", "mobile number",
		"mobile phone", "tel", "telefone", "telefono", "celular", "numero de telephone", "numero de telefone",
		"numero de telefono", "msisdn"}},
	{
		"first name",
		[]string{"first name", "given name", "forename", "prenom", "prenoms", "primeiro nome", "primer nombre"},
	},
	{"last name", []string{"last name", "surname", "family name", "nom de famille", "apelido", "sobrenome", "apellido",
		"apellidos"}},
	{"age", []string{"age", "idade", "edad"}},
	{"weight", []string{"weight", "poids", "peso"}},
	{"height", []string{"height", "estatura", "altura"}},
	{"national id", []string{"national id", "national id number", "national identity number", "nid", "cni",
		"bilhete de identidade", "documento nacional de identidad"}},
	{"e-mail", []string{"email", "e mail", "email address", "courriel", "correo electronico"}},
	{"address", []string{"address", "adresse", "endereco", "morada", "direccion"}},
	{"temperature", []string{"temperature", "temperatura"}},
}

// answers that mean alike.
var answers = []concept{
	{"female", []string{"female", "woman", "feminin", "femme", "feminino", "mulher", "femenino", "mujer"}},
	{"male", []string{"male", "man", "masculin", "homme", "masculino", "homem", "hombre"}},
	{"yes", []string{"yes", "oui", "sim", "si"}},
	{"no", []string{"no", "non", "nao"}},
	{"positive", []string{"positive", "pos", "positif", "positivo", "positiva"}},
	{"negative", []string{"negative", "neg", "negatif", "negativo", "negativa"}},
	{"unknown", []string{"unknown", "inconnu", "desconhecido", "desconocido"}},
}

// conceptOf gives the concept that words stand for, "" when they stand for none.
func conceptOf(list []string, among []concept) string {
	text := strings.Join(list, " ")
	for _, c := range among {
		if slices.Contains(c.words, text) {
			return c.name
		}
	}
	return ""
}

// anotherWord says why a field is likely meant: its name is another word for the target's.
func (m *matcher) anotherWord(t *target, f *field) string {
	if t.combo != "" {
		return ""
	}
	title := t.title
	if b := inBrackets.FindStringSubmatch(title); b != nil && slices.Contains(units, strings.ToLower(b[1])) {
		title = title[:len(title)-len(b[0])]
	}
	w := words(title)
	bare := slices.DeleteFunc(slices.Clone(w), func(s string) bool { return slices.Contains(m.common, s) })
	for _, name := range f.names() {
		c := conceptOf(words(name), concepts)
		if c != "" && (c == conceptOf(w, concepts) || c == conceptOf(bare, concepts)) {
			return fmt.Sprintf("%q is another word for it", comment(name))
		}
	}
	return ""
}

// likeChoice finds the option that a choice means, by what is sent or by its label.
func (m *matcher) likeChoice(set *metadata.OptionSet, text string, labels []string) *metadata.Option {
	for _, label := range labels {
		if o, _, _ := m.x.Option(set, label); o != nil {
			return o
		}
	}
	// A name such as 1 or a is the form's own: its label says what is meant.
	if len(labels) == 0 || len(text) > 2 {
		if o := m.like(set, text); o != nil {
			return o
		}
	}
	for _, label := range labels {
		if o := m.like(set, label); o != nil {
			return o
		}
	}
	return nil
}
