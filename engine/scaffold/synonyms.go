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
		"data de nascimento", "fecha de nacimiento", "date naissance", "data nascimento", "fecha nacimiento", "ne le",
		"nee le", "data nasc", "dt nascimento", "nascido em", "nascida em", "fecha nac"}},
	{"sex", []string{"sex", "gender", "sexe", "sexo", "genre", "genero"}},
	{"village", []string{"village", "aldeia", "aldea", "village name", "name of village", "nom du village",
		"nome da aldeia"}},
	{"phone", []string{"phone", "phone number", "phone no", "telephone", "telephone number", "mobile", "mobile number",
		"mobile phone", "tel", "telefone", "telefono", "celular", "telemovel", "cell phone",
		"cellphone", "portable", "numero de telemovel", "numero de telephone", "numero de telefone",
		"numero de telefono", "msisdn"}},
	{
		"first name",
		[]string{"first name", "given name", "forename", "prenom", "prenoms", "primeiro nome", "nome proprio",
			"nomes proprios", "primer nombre"},
	},
	{"last name", []string{"last name", "surname", "family name", "nom de famille", "apelido", "apelidos", "sobrenome", "apellido",
		"apellidos", "ultimo nome", "ultimo apellido"}},
	{"age", []string{"age", "idade", "edad"}},
	{"weight", []string{"weight", "poids", "peso"}},
	{"height", []string{"height", "estatura", "altura"}},
	{"national id", []string{"national id", "national id number", "national identity number", "nid", "cni",
		"carte nationale d identite", "identite nationale", "bilhete de identidade", "bi",
		"documento nacional de identidad"}},
	{"e-mail", []string{"email", "e mail", "email address", "courriel", "adresse e mail", "adresse email",
		"correio eletronico", "correo electronico"}},
	{"gestational age", []string{"gestational age", "age gestationnel", "idade gestacional", "edad gestacional"}},
	{"blood pressure", []string{"blood pressure", "bp", "tension arterielle", "pression arterielle", "pressao arterial",
		"tensao arterial", "presion arterial"}},
	{"birth weight", []string{"birth weight", "weight at birth", "poids de naissance", "poids a la naissance",
		"peso ao nascer", "peso al nacer"}},
	{"next visit", []string{"next visit", "next visit date", "date of next visit", "next appointment", "prochaine visite",
		"date de la prochaine visite", "prochain rendez vous", "date du prochain rendez vous", "prochain rdv",
		"date prochain rdv", "proxima visita", "data da proxima visita", "proxima consulta", "data da proxima consulta"}},
	{"number of children", []string{"number of children", "nombre d enfants", "numero de filhos", "numero de hijos"}},
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

// fillers stand in names and change nothing: N° de téléphone, Nom de famille du patient.
var fillers = []string{"the", "of", "s", "de", "du", "des", "la", "le", "les", "l", "d", "da", "do", "dos", "das", "del",
	"n", "no", "nº", "num", "nr", "numero", "number", "patient", "patiente", "paciente", "client", "cliente", "utente"}

func withoutFillers(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(fillers, s) })
}

// conceptOf gives the concept that a column's name stands for: as it is, without words that change
// nothing, or as each of the words between slashes. Nom beside Prénom is a family name, and Nome
// beside Apelido a given one.
func (m *matcher) conceptOf(name string) string {
	list := words(name)
	if c := conceptOf(list, concepts); c != "" {
		return c
	}
	if parts := strings.Split(name, "/"); len(parts) > 1 {
		c := conceptOf(words(parts[0]), concepts)
		for _, part := range parts[1:] {
			if conceptOf(words(part), concepts) != c {
				return ""
			}
		}
		return c
	}
	bare := withoutFillers(list)
	text := strings.Join(bare, " ")
	if other, ok := besides[text]; ok {
		if slices.ContainsFunc(m.fields, func(f *field) bool {
			return slices.ContainsFunc(f.names(), func(name string) bool {
				return slices.Contains(other.beside, strings.Join(withoutFillers(words(name)), " "))
			})
		}) {
			return other.name
		}
	}
	for _, c := range concepts {
		if text != "" && slices.ContainsFunc(c.words, func(w string) bool {
			return strings.Join(withoutFillers(strings.Fields(w)), " ") == text
		}) {
			return c.name
		}
	}
	return ""
}

// besides are words that mean one thing beside another column, and any name without it.
var besides = map[string]struct {
	name   string
	beside []string
}{
	"nom":     {"last name", []string{"prenom", "prenoms", "postnom"}},
	"noms":    {"last name", []string{"prenom", "prenoms"}},
	"nome":    {"first name", []string{"apelido", "apelidos", "sobrenome", "sobrenomes"}},
	"nomes":   {"first name", []string{"apelido", "apelidos", "sobrenome", "sobrenomes"}},
	"nombre":  {"first name", []string{"apellido", "apellidos"}},
	"nombres": {"first name", []string{"apellido", "apellidos"}},
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
	if b := inBrackets.FindStringSubmatch(title); b != nil && unitOf(b[1]) != "" {
		title = title[:len(title)-len(b[0])]
	}
	w := words(title)
	bare := slices.DeleteFunc(slices.Clone(w), func(s string) bool { return slices.Contains(m.common, s) })
	for _, name := range f.names() {
		c := m.conceptOf(name)
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
