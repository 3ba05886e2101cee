package change

// Document says which objects a project should have; see docs/api.md, "Declarative documents".
type Document struct {
	Body    map[string]any // as JSON has it, with numbers as json.Number
	Project string         // whose objects they are, unless one says otherwise
	Set     string         // name of the set that the objects belong to; empty: none
	Prune   bool           // objects of the set that the document does not have are deleted
}

// Applied is what became of a document.
type Applied struct {
	Rev       uint64   `json:"rev"` // of the store, afterwards
	Changes   []Object `json:"changes"`
	Unchanged int      `json:"unchanged"` // objects of the document that were as it says already
}
