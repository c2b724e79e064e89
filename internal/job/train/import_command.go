package train

import (
	"context"
	"fmt"
	"io"
	"time"

	"kindred/internal/lake/vectorfile"
	"kindred/internal/platform/program"
)

// ImportCommand is `train import`.
type ImportCommand struct {
	Flags
	Items        string `placeholder:"FILE" help:"The products' vectors, with product ids and lists of numbers: a file (.csv, .parquet, .npy or .npz), a folder of Parquet or CSV parts, or either of them on S3 as s3://bucket/key."`
	ItemIDs      string `name:"item-ids" placeholder:"FILE" help:"The products' ids, one in each line, for products' vectors in a .npy file."`
	Customers    string `placeholder:"FILE" help:"The customers' vectors, in the forms of --items. Default: each customer's vector is computed from what the customer did."`
	CustomerIDs  string `name:"customer-ids" placeholder:"FILE" help:"The customers' ids, one in each line, for customers' vectors in a .npy file."`
	Name         string `placeholder:"NAME" help:"Name of the model, for train show."`
	LearnedUntil string `placeholder:"TIME" help:"The moment up to which the other system learned, as 2026-11-30 or 2026-11-30T12:00:00Z. The vectors are tested only on what customers did later. Default: the vectors are tested on the last part of everything, although they may have been learned from that part."`
	Export       string `placeholder:"VERSION" help:"Instead of --items: the version id that train export printed, if another program has fitted vectors to the export. Needs --attempt, and the flags that train export had."`
	Attempt      string `placeholder:"NAME" help:"With --export: the fitted vectors are in the export's folder attempt=NAME. Only the first attempt that is imported counts: a later --attempt with another name still uses the vectors of the first."`
}

// Run imports.
func (c *ImportCommand) Run(ctx context.Context, out *program.Output) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if (c.Items == "") == (c.Export == "") || (c.Export == "") != (c.Attempt == "") {
		return fmt.Errorf("%w: want --items, or --export and --attempt", program.ErrConfig)
	}
	if c.Export != "" && (c.Customers != "" || c.CustomerIDs != "" || c.ItemIDs != "" || c.LearnedUntil != "") {
		return fmt.Errorf("%w: --export gives the products' vectors and what they were learned from, and the customers' "+
			"vectors are computed; leave --customers, --customer-ids, --item-ids and --learned-until out", program.ErrConfig)
	}
	job, err := c.job(ctx, cfg)
	if err != nil {
		return err
	}
	if c.Export == "" {
		job.Given, err = c.read(ctx)
	} else {
		job.Given = &Given{Name: c.Name}
		job.Given.Fits, err = job.fitsOf(ctx, c.Export, c.Attempt)
	}
	if err != nil {
		return err
	}
	if err := job.run(ctx, out); err != nil {
		return err
	}
	if c.Export != "" {
		pruneFits(ctx, out, job.Artifacts)
	}
	return nil
}

// read reads the files.
func (c *ImportCommand) read(ctx context.Context) (*Given, error) {
	given := &Given{Name: c.Name, MostUnknown: c.MaxUnknown}
	if c.LearnedUntil != "" {
		until, err := moment(c.LearnedUntil)
		if err != nil {
			return nil, fmt.Errorf("%w: --learned-until: %w", program.ErrConfig, err)
		}
		given.Until = until.Unix()
	}
	items, err := c.readVectors(ctx, c.Items, c.ItemIDs)
	if err != nil {
		return nil, fmt.Errorf("read the products' vectors: %w", err)
	}
	given.Items = *items
	if c.Customers == "" {
		if c.CustomerIDs != "" {
			return nil, fmt.Errorf("%w: --customer-ids needs --customers", program.ErrConfig)
		}
		return given, nil
	}
	if given.Customers, err = c.readVectors(ctx, c.Customers, c.CustomerIDs); err != nil {
		return nil, fmt.Errorf("read the customers' vectors: %w", err)
	}
	return given, nil
}

// moment reads a day, which begins at midnight UTC, or a time.
func moment(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil && at.Unix() > 0 {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time after 1970, such as 2026-11-30 or 2026-11-30T12:00:00Z", text)
}

// readEmbeddings reads the file of embeddings, if there is one.
func (c *Flags) readEmbeddings(ctx context.Context) (*Named, error) {
	if c.Embeddings == "" {
		if c.EmbeddingIDs != "" {
			return nil, fmt.Errorf("%w: --embedding-ids needs --embeddings", program.ErrConfig)
		}
		return nil, nil
	}
	v, err := c.readVectors(ctx, c.Embeddings, c.EmbeddingIDs)
	if err != nil {
		return nil, fmt.Errorf("read the embeddings: %w", err)
	}
	return v, nil
}

func (c *Flags) readVectors(ctx context.Context, file, ids string) (*Named, error) {
	v, err := vectorfile.ReadFrom(ctx, file, ids, c.ScratchDir)
	if err != nil {
		return nil, err
	}
	return namedBy(file, v), nil
}

func namedBy(file string, v *vectorfile.Vectors) *Named {
	return &Named{File: file, Dim: v.Dim, IDs: v.IDs, Values: v.Values, Hash: v.Hash()}
}

// imported says what of the result, or of the model that was refused, was given; nil: nothing.
func (r *Result) imported() *Import {
	if r.Refused != nil {
		return r.Refused.Config.Import
	}
	return r.Config.Import
}

// importedSentence says that given vectors have become the version id.
func (r *Result) importedSentence(id, table string) string {
	if r.NoOp {
		return fmt.Sprintf("Model version %s was imported already: same vectors, same training set.\n%s", id, table)
	}
	return fmt.Sprintf("Imported model version %s, with %d %s to evaluate it, in %.1f s.\n%s", id,
		r.Interactions, r.what(), r.Seconds, table)
}

// describe says how the vectors and the training set have met.
func (i *Import) describe(w io.Writer) {
	if i.Name != "" {
		fmt.Fprintf(w, "The vectors are those of %s.\n", i.Name)
	}
	i.Items.describe(w, "vectors", "products", "features say what the others are")
	if i.Customers != nil {
		i.Customers.describe(w, "vectors", "customers", "what they did says what the others want")
	} else {
		fmt.Fprintf(w, "Customers' vectors are computed from what they did.\n")
	}
	if i.LearnedUntil != 0 {
		fmt.Fprintf(w, "They were learned until %s.\n", time.Unix(i.LearnedUntil, 0).UTC().Format("2006-01-02 15:04 MST"))
	}
}

func (j Joined) describe(w io.Writer, kind, what, others string) {
	fmt.Fprintf(w, "Of %d %s of %s %d are used", j.Given, kind, what, j.Used)
	if j.Unknown > 0 {
		fmt.Fprintf(w, "; %d ids are unknown", j.Unknown)
	}
	if j.Zero > 0 {
		fmt.Fprintf(w, "; %d are zero", j.Zero)
	}
	if j.Missing > 0 {
		fmt.Fprintf(w, "; %d %s have none: %s", j.Missing, what, others)
	}
	fmt.Fprintln(w, ".")
}
