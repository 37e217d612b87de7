package metadata

// optionIndex finds the options of one set; sets of coded diagnoses have tens of thousands.
type optionIndex struct {
	finder *finder[Option]
	codes  map[string]*Option
}

func (x *Index) optionIndex(set *OptionSet) *optionIndex {
	if found, ok := x.sets.Load(set); ok {
		return found.(*optionIndex)
	}
	o := &optionIndex{
		finder: newFinder(OptionsInSets, set.Options, func(o *Option) *Named { return &o.Named }),
		codes:  make(map[string]*Option, len(set.Options)),
	}
	for i := range set.Options {
		o.codes[set.Options[i].Code] = &set.Options[i]
	}
	found, _ := x.sets.LoadOrStore(set, o)
	return found.(*optionIndex)
}

// OptionByCode gives the option that data with this code means, exactly as DHIS2 compares: letters'
// case counts. nil when there is none.
func (x *Index) OptionByCode(set *OptionSet, code string) *Option {
	return x.optionIndex(set).codes[code]
}

// Option finds an option of a set by code, name or uid; a code goes before the name of another option.
func (x *Index) Option(set *OptionSet, ref string) (o *Option, ambiguous, suggestions []string) {
	index := x.optionIndex(set)
	if o := index.codes[ref]; o != nil {
		return o, nil, nil
	}
	return index.finder.find(ref, nil, x.former)
}

// optionByID finds an option of any set by its uid; it is rarely asked for, so there is no index.
func (x *Index) optionByID(id string) *Named {
	for i := range x.Snapshot.OptionSets {
		options := x.Snapshot.OptionSets[i].Options
		for j := range options {
			if options[j].ID == id {
				return &options[j].Named
			}
		}
	}
	return nil
}
