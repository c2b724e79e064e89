package program

import (
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// help prints a command's help. Kong keeps the flags of a default command to that command's own
// help; a person who asks for the program's help wants to see them, because they are the
// program's flags too.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Model.Node
	if selected := ctx.Selected(); selected != nil {
		node = selected
	}
	for node.DefaultCmd != nil {
		byDefault := node.DefaultCmd
		node.Flags = append(byDefault.Flags, node.Flags...)
		node.Positional = append(node.Positional, byDefault.Positional...)
		node = byDefault
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// describe is a flag's or argument's help with what it is when it is not given.
func describe(v *kong.Value) string {
	var notes []string
	if v.HasDefault && v.Default != "" && !v.IsBool() {
		notes = append(notes, "default "+v.Default)
	}
	for _, name := range v.Tag.Envs {
		notes = append(notes, "$"+name)
	}
	if len(notes) == 0 {
		return v.Help
	}
	text, stop := strings.CutSuffix(v.Help, ".")
	text += " (" + strings.Join(notes, ", ") + ")"
	if stop {
		text += "."
	}
	return text
}

// polish changes three things in kong's help. A flag without a placeholder gets the kind of its value
// (kong would show the default, which describe shows). --help has a plainer text. The help of a
// program that embeds VersionOnly leaves out the flags that it cannot use.
func polish(k *kong.Kong, grammar any) error {
	k.Model.HelpFlag.Help = "Show this help."
	_, versionOnly := grammar.(interface{ versionOnly() })
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			if f.PlaceHolder == "" && !f.IsBool() {
				f.PlaceHolder = placeholder(f.Target.Type())
			}
			f.Hidden = f.Hidden || versionOnly && f.Name != "help" && f.Name != "version"
		}

		return next(nil)
	})
}

func placeholder(t reflect.Type) string {
	if t.String() == "time.Duration" {
		return "DURATION"
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		return placeholder(t.Elem())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return "NUMBER"
	default:
		return "TEXT"
	}
}
