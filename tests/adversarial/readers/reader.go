// Reads bodies as servers in Go do: a list of {type, body} on stdin, values on stdout. With "struct"
// JSON goes into a struct, whose names encoding/json matches in any case.
package main

import (
	"bytes"
	"encoding/json"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"strings"
)

type document struct {
	Type string
	Body []byte
}

type fields struct {
	A interface{} `json:"a"`
}

const failed = "(failed)"

func read(asked document, into string) interface{} {
	kind, parameters, err := mime.ParseMediaType(asked.Type)
	if err != nil {
		return failed
	}
	switch {
	case kind == "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(asked.Body))
		if err != nil {
			return failed
		}
		return values
	case kind == "multipart/form-data":
		form, err := multipart.NewReader(bytes.NewReader(asked.Body), parameters["boundary"]).ReadForm(1 << 20)
		if err != nil {
			return failed
		}
		return form.Value
	case into == "struct":
		var value fields
		if json.Unmarshal(asked.Body, &value) != nil {
			return failed
		}
		return value
	}
	var value interface{}
	if !strings.Contains(kind, "json") || json.Unmarshal(asked.Body, &value) != nil {
		return failed
	}
	return value
}

func main() {
	var asked []document
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	answers := []interface{}{}
	for _, each := range asked {
		answers = append(answers, read(each, os.Args[1]))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
