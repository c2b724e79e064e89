package train

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
)

// Description is the first line of the job's help.
const Description = "Train a model version from the current training set, compare it with baselines, and " +
	"record the gate's verdict."

// Command is the command line of the train job.
type Command struct {
	Run      RunCommand      `cmd:"" default:"withargs" help:"Train, and make the version current (the default command). The same input is not trained twice. If the gate refuses the model, and no earlier version is known to beat the baselines, a version that answers by popularity becomes current."`
	Import   ImportCommand   `cmd:"" help:"Make a model version from vectors that another system learned. Evaluation and gate are those of train."`
	Sessions SessionsCommand `cmd:"" help:"Make a model version from sessions of clicks. It recommends the next product of a session, in the order of its clicks, and knows no customers."`
	Export   ExportCommand   `cmd:"" help:"Write the data to which another program, such as Spark, fits vectors. train import --export makes a model version from these vectors."`
	Size     SizeCommand     `cmd:"" help:"Estimate how much memory and time training takes at most. The exit code is 3 if training is too large for --memory or --most-hours."`
	Show     ShowCommand     `cmd:"" help:"Print how good a model version is."`
	Evaluate EvaluateCommand `cmd:"" help:"Measure kindred and every baseline on a public split."`
	// EvaluateSessions becomes evaluate-sessions.
	EvaluateSessions EvaluateSessionsCommand `cmd:"" help:"Measure kindred and session-based baselines on the next click of test sessions."`
}

// Flags are those of every command that makes a version. Defaults are those of DefaultConfig.
type Flags struct {
	Lake             envconfig.Lake      `embed:""`
	Artifacts        envconfig.Artifacts `embed:""`
	MinStars         int8                `default:"4" help:"Smallest number of stars that counts as liking a product."`
	FeedbackView     float64             `default:"0" help:"Training weight of a product that a customer viewed but did not rate. A like has weight 1; 0 ignores views."`
	FeedbackCart     float64             `default:"0.5" help:"Training weight of a product that a customer put into the cart but did not rate. A like has weight 1; 0 ignores carts."`
	FeedbackPurchase float64             `default:"1" help:"Training weight of a product that a customer bought but did not rate. A like has weight 1; 0 ignores purchases."`
	Kind             map[string]float64  `placeholder:"NAME=WEIGHT" help:"Training weight of a kind of interactions, such as view=0.2 or wishlist=0.5. May be repeated. Ratings and purchases have weight 1; rating=0 or purchase=0 leaves them out. Default: tuning chooses the weights of view and cart, and other kinds have weight 0."`
	Repeat           []string            `env:"TRAIN_REPEAT" sep:";" placeholder:"RULE" help:"Rule for products that a customer has bought or rated before: hide, show, or hide for a period, such as after=30d (h, d or w). CATEGORY=RULE is a rule for the products of one category. May be repeated; in TRAIN_REPEAT, separate rules by semicolons. With auto alone, the validation data choose a rule for the shop. Serving and the evaluation follow the rules. Default: hide."`
	RepeatWeight     *float64            `placeholder:"WEIGHT" help:"Weight that training adds each time the number of a customer's purchases of a product doubles: once for 2 purchases, two times for 4, three times for 8. The total weight is at most 4. Default: 0 for ratings; for interactions tuning chooses."`
	HalfLife         float64             `default:"0" placeholder:"DAYS" help:"Days after which an interaction has half its training weight. With 0 the weight does not depend on age."`
	TuneBudget       float64             `default:"60" help:"Seconds that tuning may take on a nominal machine of 20 Gflop/s. The budget counts arithmetic, not time, so the same input gives the same model on every machine."`
	ViewWeight       float64             `default:"0" help:"Weight that serving gives to a product that was viewed in the current session. A like in training has weight 1. 0 lets tuning choose."`
	CartWeight       float64             `default:"0" help:"Weight that serving gives to a product that was put into the cart in the current session. 0 means three times the weight of a viewed product."`
	Threads          int                 `default:"0" help:"Number of processors to use. 0 uses all. The model does not depend on it."`
	Memory           int64               `default:"0" help:"Largest number of bytes to use. 0 uses all the memory that the system has left. Training that needs more is refused before it starts."`
	Embeddings       string              `placeholder:"FILE" help:"Embeddings of the products' texts or images, in a file of any form that train import reads. A product without history gets its vector from its embedding, its category, brand, price and so on."`
	EmbeddingIDs     string              `name:"embedding-ids" placeholder:"FILE" help:"The products' ids, one in each line, for embeddings in a .npy file."`
	MaxUnknown       float64             `default:"0.5" help:"Refuse a file of vectors if more than this share (0 to 1) of its ids are not in the training set, because the ids are probably not the shop's."`
	ReplaceShop      bool                `help:"Make a version, this once, even if the newest model version belongs to another shop. The new version is not compared with versions of other shops."`
	Planted          Planted             `kong:"-"` // the program hands it in
	ScratchDir       string              `placeholder:"FOLDER" help:"Folder for temporary files. Default: the system's temporary folder."`
}

// RunCommand is `train`.
type RunCommand struct {
	Flags
	Dim       int    `default:"0" help:"Number of components of a vector, 2 to 1024. 0 lets tuning choose."`
	Epochs    int    `default:"16" help:"Passes over all customers and products in the final fits."`
	Seed      uint64 `default:"1" help:"Seed of the random initial vectors."`
	WarmStart bool   `help:"Begin the last fit, which makes the version, with the products' vectors of the previous version, and make 4 passes. Without a previous model of the same dimension, the flag has no effect. Fits that only measure never use it."`
	Lukewarm  string `default:"auto" enum:"auto,none" env:"TRAIN_LUKEWARM" help:"Fewer stars than a like. With auto, they count as weak likes if that certainly improves the ranking on the validation data. With none, they count for nothing."`
	Sessions  string `default:"auto" enum:"auto,none" env:"TRAIN_SESSIONS" help:"Sessions of unknown visitors, as feedback found them. With auto, training uses them like customers if that certainly improves the ranking on the validation data. They are not tried if memory does not suffice. With none, they count for nothing."`
	Parts     string `default:"auto" enum:"auto,vectors" env:"TRAIN_PARTS" help:"Parts of a model. With auto, scores also add the weights of each product's nearest neighbours, if that certainly improves the ranking on the validation data. With vectors, scores are inner products alone."`
}

// ShowCommand is `train show`.
type ShowCommand struct {
	Artifacts envconfig.Artifacts `embed:""`
	ID        string              `arg:"" optional:"" help:"Version to show. Default: the current one."`
}

// Run trains.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	cfg.Dim, cfg.Epochs, cfg.Seed, cfg.Parts, cfg.WarmStart = c.Dim, c.Epochs, c.Seed, c.Parts, c.WarmStart
	cfg.Lukewarm, cfg.Sessions = c.Lukewarm, c.Sessions
	job, err := c.job(ctx, cfg)
	if err != nil {
		return err
	}
	return job.run(ctx, out)
}

// config is what the flags ask for.
func (c *Flags) config() (Config, error) {
	auto := slices.Equal(c.Repeat, []string{"auto"})
	if auto {
		c.Repeat = nil
	}
	repeats, err := modelversion.ParseRepeats(c.Repeat)
	if err != nil {
		return Config{}, fmt.Errorf("%w: --repeat: %w; the weight of repeated purchases is --repeat-weight",
			program.ErrConfig, err)
	}
	cfg := DefaultConfig()
	// Others' vectors are all that a version of them has. RunCommand says what it may add.
	cfg.Parts, cfg.Lukewarm, cfg.Sessions = "", "", ""
	cfg.Repeats, cfg.TuneRepeats, cfg.TuneBudget, cfg.ViewWeight, cfg.CartWeight = repeats, auto, c.TuneBudget,
		c.ViewWeight, c.CartWeight
	cfg.Signal = Signal{MinStars: c.MinStars, FeedbackView: c.FeedbackView, FeedbackCart: c.FeedbackCart,
		FeedbackPurchase: c.FeedbackPurchase, Kinds: c.Kind, Repeat: c.RepeatWeight, HalfLife: c.HalfLife}
	return cfg, nil
}

// job is what the flags ask for.
func (c *Flags) job(ctx context.Context, cfg Config) (job Job, err error) {
	if err := cfg.Validate(); err != nil {
		return job, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if !(c.MaxUnknown >= 0 && c.MaxUnknown <= 1) {
		return job, fmt.Errorf("%w: --max-unknown is %g, want 0 to 1", program.ErrConfig, c.MaxUnknown)
	}
	job = Job{Config: cfg, ScratchDir: c.ScratchDir, Threads: c.Threads, Memory: c.Memory, Planted: c.Planted,
		ReplaceShop: c.ReplaceShop, MostUnknown: c.MaxUnknown}
	if job.Memory == 0 {
		job.Memory = AvailableMemory()
	}
	if job.Embeddings, err = c.readEmbeddings(ctx); err != nil {
		return job, err
	}
	if job.Lake, err = objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket); err != nil {
		return job, err
	}
	job.Artifacts, err = objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", c.Artifacts.Bucket)
	return job, err
}

// run makes a version.
func (j Job) run(ctx context.Context, out *program.Output) error {
	bar := out.Bar()
	defer bar.Close()
	j.Progress = bar.Show
	j.Estimated = func(e Estimate) {
		out.Log.Info("estimated", logkey.Memory, e.Bytes, logkey.Duration, int64(1000*e.Seconds))
		if bar.Visible() {
			fmt.Fprintf(out.Stderr, "Training takes up to %d MB and some %.0f s.\n", e.Bytes>>20, e.Seconds)
		}
	}
	result, err := j.Run(ctx)
	bar.Close()
	if err != nil {
		return err
	}
	return out.Result(result.sentence(), result)
}

// Run prints the report of a version.
func (c *ShowCommand) Run(ctx context.Context, out *program.Output) error {
	store, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", c.Artifacts.Bucket)
	if err != nil {
		return err
	}
	v, items, customers, err := modelfile.ReadSummary(ctx, commit.NewRepository(store, envconfig.ModelPrefix), c.ID, "")
	if err != nil {
		return fmt.Errorf("show model version: %w", err)
	}
	result := &Result{ModelVersion: v.ID, TrainingRun: v.TrainingRun, NoOp: true, Report: v.Report, Customers: customers,
		Items: items}
	if err := json.Unmarshal(v.Training, &result.Config); err != nil {
		return fmt.Errorf("read the notes of version %s: %w", v.ID, err)
	}
	result.Interactions = int64(result.Config.Interactions)
	text := fmt.Sprintf("Model version %s of %d items and %d customers, from training set %s at %s.\n%s", v.ID, items,
		customers,
		v.TrainingRun, v.TrainedAt.Format("2006-01-02 15:04 MST"), result.table())
	return out.Result(text, result)
}

func (r *Result) sentence() string {
	id, report, table := r.ModelVersion, r.Report, r.table()
	if r.Refused != nil {
		refused := Result{Report: r.Refused.Report, Config: r.Refused.Config}
		id, report, table = r.Refused.ModelVersion, r.Refused.Report, refused.table()
	}
	var text string
	switch from := report.Verdict.CarriedFrom; {
	case r.Report.Verdict.Popularity && r.Refused == nil:
		return fmt.Sprintf("Made version %s of %d customers and %d products.\n%s", id, r.Customers, r.Items, table)
	case from != "" && !r.NoOp:
		text = fmt.Sprintf("Made model version %s of version %s without training: only names or stock have changed.\n%s",
			id, from, table)
	case r.Config.Clicks != nil && !r.NoOp:
		text = fmt.Sprintf("Trained model version %s on %d clicks of %d sessions on %d products in %.1f s.\n%s", id,
			r.Config.Clicks.Clicks, r.Config.Clicks.Sessions, r.Items, r.Seconds, table)
	case r.imported() != nil:
		text = r.importedSentence(id, table)
	case r.NoOp:
		current := " and is current"
		if r.Refused != nil {
			current = ""
		}
		text = fmt.Sprintf("Model version %s was trained already%s: same training set, same configuration.\n%s", id,
			current, table)
	default:
		text = fmt.Sprintf("Trained model version %s on %d %s of %d customers and %d products in %.1f s.\n%s",
			id, r.Interactions, r.what(), r.Customers, r.Items, r.Seconds, table)
	}
	if r.Refused != nil {
		text += fmt.Sprintf("\nNo model has passed the gate, so version %s, which answers by popularity, is current.",
			r.ModelVersion)
	}
	return text
}

// what the rows are that it was trained on.
func (r *Result) what() string {
	if r.Config.Signal != nil || r.Refused != nil && r.Refused.Config.Signal != nil {
		return "interactions"
	}
	return "ratings"
}

// table is the report for people.
func (r *Result) table() string {
	var b strings.Builder
	if r.Config.Clicks != nil {
		b.WriteString(r.Config.Clicks.sentence())
	} else if r.Report.Verdict.Popularity {
		b.WriteString("It answers by popularity: everybody sees what most customers like, without what they have.\n")
	} else {
		r.configuration(&b)
	}
	if r.Config.Repeats != nil || r.Config.Config.TuneRepeats {
		fmt.Fprintf(&b, "What was bought before: %s.\n", r.Config.Repeats)
		for i, tried := range r.Config.RepeatsTried {
			if i == 0 {
				fmt.Fprintf(&b, "  %-14s %8s  %s\n  %-14s %8.4f\n", "rule tried", "NDCG@10", "gain over hide, 95 %", tried.Rule,
					tried.NDCG10)
				continue
			}
			fmt.Fprintf(&b, "  %-14s %8.4f  %+.4f to %+.4f\n", tried.Rule, tried.NDCG10, tried.Low, tried.High)
		}
	}
	who := "customers"
	if r.Config.Clicks != nil {
		who = "sessions"
	}
	fmt.Fprintf(&b, "Held out: %s; %d products to find for %d %s.\n", r.Report.Split, r.Report.TestPositives,
		r.Report.TestCustomers, who)
	if r.Report.Ties > 0 {
		fmt.Fprintf(&b, "%.1f %% of the ratings with a time share it with another rating of the same customer.\n",
			100*r.Report.Ties)
	}
	if len(r.Report.Rows) > 0 {
		fmt.Fprintf(&b, "  %-14s %8s  %-17s %9s\n", "", "NDCG@10", "95 % interval", "Recall@10")
	}
	for _, row := range r.Report.Rows {
		fmt.Fprintf(&b, "  %-14s %8.4f  %.4f to %.4f  %9.4f\n", row.Name, row.NDCG10, row.Low, row.High, row.Recall10)
	}
	for _, p := range []struct {
		title string
		part  *modelversion.Part
	}{{"Newer than the version before", r.Report.Live}, {"New products", r.Report.ColdStart},
		{"Sessions", r.Report.Sessions}, {"Parts", r.Report.Parts}} {
		if p.part == nil {
			continue
		}
		fmt.Fprintf(&b, "%s: %s; %d customers.\n", p.title, p.part.What, p.part.Customers)
		for _, row := range p.part.Rows {
			fmt.Fprintf(&b, "  %-14s %8.4f  %.4f to %.4f  %9.4f\n", row.Name, row.NDCG10, row.Low, row.High, row.Recall10)
		}
	}
	fmt.Fprintf(&b, "%s\n  %s", outcome(r.Report.Verdict), strings.Join(r.Report.Verdict.Reasons, "\n  "))
	return b.String()
}

// configuration is what tuning chose.
func (r *Result) configuration(b *strings.Builder) {
	used := r.Config.Used
	if r.Config.Import != nil {
		r.Config.Import.describe(b)
	}
	fmt.Fprintf(b, "Dimension %d, alpha0 %.3g, lambda %.3g: the best of %d tried. A view weighs %g, the cart %g.\n",
		used.Dim, used.Alpha0, used.Lambda,
		len(r.Config.Tried), used.ViewWeight, used.CartWeight)
	if used.NewcomerShare > 0 {
		fmt.Fprintf(b, "A session of somebody without a vector starts from %g times that of their features, or the mean.\n",
			used.NewcomerShare)
	}
	if r.Config.WarmStart != "" {
		fmt.Fprintf(b, "The fit began with the vectors of version %s.\n", r.Config.WarmStart)
	}
	if r.Config.Sessions > 0 && r.Config.Config.Sessions == SessionsAuto {
		b.WriteString(sessionsSentence(r.Config.UsedSessions, r.Config.Sessions))
	}
	if r.Config.Lukewarm != nil {
		b.WriteString(lukewarmSentence(r.Config.Lukewarm))
	}
	if r.Config.Near != nil {
		b.WriteString(r.Config.Near.sentence())
	}
	if r.Config.Embeddings != nil {
		r.Config.Embeddings.describe(b, "embeddings", "products", "their other features say what they are")
	}
	if s := r.Config.Signal; s != nil {
		b.WriteString("A purchase and a like weigh 1")
		for _, kind := range slices.Sorted(maps.Keys(s.Kinds)) {
			fmt.Fprintf(b, ", %s %g", kind, s.Kinds[kind])
		}
		fmt.Fprintf(b, "; each doubling of purchases adds %g.\n", s.Repeat)
	}
}

// outcome is the gate's decision in a sentence, and what it means for publishing.
func outcome(v modelversion.Verdict) string {
	if v.Popularity {
		return "Publish makes it live unless a model is live. The next model that the gate does not refuse replaces it."
	}
	var text string
	switch v.Decision() {
	case modelversion.OutcomePassed:
		text = "The gate lets it pass."
	case modelversion.OutcomeRefused:
		text = "The gate refuses it: publish keeps what is live."
	case modelversion.OutcomeUncompared:
		text = "UNCOMPARED with the live version: it beats the simpler ways to recommend, so publish accepts it."
		if !v.Judged() {
			text = "UNCOMPARED: nobody knows how good it is. Publish accepts it unless the live version is known to be good."
		}
	}
	if v.CarriedFrom != "" {
		text += " Factors, report and verdict are those of version " + v.CarriedFrom +
			": only names or stock have changed since."
	}
	return text
}
