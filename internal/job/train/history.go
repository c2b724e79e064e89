package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/checksum"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// longestHistory bounds how many earlier versions are looked at: one small object each.
const longestHistory = 30

// past is what the earlier versions have to offer.
type past struct {
	same     *modelfile.Ancestor  // made from the same input; nil: none
	previous string               // the last version that the gate did not refuse, and that was made from another input
	judged   bool                 // previous beats the baselines: a model has passed
	versions []modelfile.Ancestor // latest first
}

// current says whether the version is the current one.
func (p past) current(id string) bool { return len(p.versions) > 0 && p.versions[0].ID == id }

// OtherShop names the shop whose model versions are in the artifacts, if it is not the named one. It is
// empty for artifacts that are this shop's, or nobody's yet.
func OtherShop(ctx context.Context, artifacts objectstore.Store, shop string) (string, error) {
	for a, err := range modelfile.Ancestors(ctx, commit.NewRepository(artifacts, envconfig.ModelPrefix), 1) {
		if err != nil || !envconfig.OtherShop(a.Shop, shop) {
			return "", err
		}
		return a.Shop, nil
	}
	return "", nil
}

// history looks among the earlier versions of the shop for those made from one of the inputs, and for
// the one before. train takes past.previous for the live version, because it does not ask the vector
// database. Errors: ErrOtherShop.
func (j Job) history(ctx context.Context, models *commit.Repository, inputs []string, shop string) (p past, err error) {
	first, earlier := true, ""
	for a, err := range modelfile.Ancestors(ctx, models, longestHistory) {
		if err != nil {
			return p, err
		}
		newest := first
		first = false
		if envconfig.OtherShop(a.Shop, shop) {
			if j.ReplaceShop || !newest {
				continue
			}
			return p, fmt.Errorf("%w: the model versions in %s are of the shop %s, and the training set is of the shop %s; to "+
				"keep both, give %s artifacts of its own (such as ARTIFACTS_BUCKET=s3://bucket/%s); to give %s up, run once with "+
				"--replace-shop", ErrOtherShop, j.Artifacts, a.Shop, shop, shop, shop, a.Shop)
		}
		p.versions = append(p.versions, a)
		if slices.Contains(inputs, a.Input) { // what it was compared with was current before it
			p.same, p.previous, p.judged, earlier = &a, "", false, ""
			continue
		}
		if p.previous != "" {
			continue
		}
		v, _, _, err := modelfile.ReadSummary(ctx, models, a.ID, j.ScratchDir)
		if isLost(err) {
			continue // nothing to compare with
		}
		if err != nil {
			return p, fmt.Errorf("read an earlier version: %w", err)
		}
		if v.Solver.Clicks != nil {
			continue // it was made from another kind of data
		}
		earlier = v.Previous
		if v.Report.Verdict.Decision() != modelversion.OutcomeRefused {
			p.previous, p.judged = a.ID, v.Report.Verdict.Judged()
		}
	}
	if p.previous != "" || earlier == "" {
		return p, nil
	}
	// All of the latest versions were refused. They remember the last one that was not.
	v, _, _, err := modelfile.ReadSummary(ctx, models, earlier, j.ScratchDir)
	if isLost(err) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read an earlier version: %w", err)
	}
	p.previous, p.judged = earlier, v.Report.Verdict.Judged()
	return p, nil
}

// isLost says that a version cannot be read, now or later.
func isLost(err error) bool {
	return errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, commit.ErrCorrupt) ||
		errors.Is(err, modelfile.ErrFormat) || errors.Is(err, modelversion.ErrInvalid)
}

// carry makes a version of the latest earlier one that learned from the same: it has that one's
// factors, report and verdict, and the products' names and stock of today. It is nil where there is
// none that can be read.
func (j Job) carry(ctx context.Context, models *commit.Repository, past past, products []Product,
	names []modelversion.Version) (*modelversion.Version, error) {
	for _, a := range past.versions {
		at := slices.IndexFunc(names, func(n modelversion.Version) bool { return n.Learned == a.Learned && n.ID != a.ID })
		if at < 0 {
			continue
		}
		identity := names[at]
		v, err := modelfile.Read(ctx, models, a.ID, j.ScratchDir)
		if isLost(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the version to carry over: %w", err)
		}
		if !slices.EqualFunc(v.Items, products, func(i modelversion.Item, p Product) bool { return i.Code == p.ID }) {
			return nil, fmt.Errorf("carry version %s over: it has other products than it was made from: %w", a.ID,
				modelversion.ErrInvalid)
		}
		for i, p := range products {
			v.Items[i].Name, v.Items[i].QuantityInStock = p.Name, p.Stock
		}
		if v.Report.Verdict.CarriedFrom == "" {
			v.Report.Verdict.CarriedFrom = a.ID
		}
		v.ID, v.Input, v.TrainingRun, v.Shop = identity.ID, identity.Input, identity.TrainingRun, identity.Shop
		return v, nil
	}
	return nil, nil
}

// inputHash is of everything that a model is made from, but for the version before it.
func inputHash(contentHash, feedbackHash string, cfg Config, planted []byte) (string, error) {
	plantedHash := ""
	if planted != nil {
		plantedHash = checksum.Bytes(planted)
	}
	trainer := Version + "+" + togetherVersion
	if cfg.Parts == PartsAuto {
		trainer += "." + nearVersion
	}
	data, err := json.Marshal(struct {
		TrainingSet, Feedback, TrainerVersion, Kernel, Planted string
		Config                                                 Config
	}{contentHash, feedbackHash, trainer, ials.Kernel(), plantedHash, cfg})
	if err != nil {
		return "", fmt.Errorf("name the version: %w", err)
	}
	return checksum.Bytes(data), nil
}

// setHash is of what training reads of a set of ratings: it stays when names or stock change.
func setHash(d *trainingset.Set) string {
	h := sha256.New()
	var row []byte
	put := func(s string) { row = append(binary.AppendUvarint(row, uint64(len(s))), s...) }
	write := func() { // to a hash never fails
		_, _ = h.Write(row)
		row = row[:0]
	}
	row = binary.AppendUvarint(row, uint64(len(d.Customers)))
	whole := !slices.ContainsFunc(d.Customers, func(c shop.Customer) bool {
		_, whole := text.Integer(c.ID)
		return !whole
	})
	if !whole {
		put("ids are text")
	}
	for _, c := range d.Customers {
		if n, _ := text.Integer(c.ID); whole {
			row = binary.AppendVarint(row, n)
		} else {
			put(c.ID)
		}
		put(c.Country)
		put(c.City)
		if c.CreditLimit != nil {
			row = binary.AppendVarint(append(row, 1), int64(*c.CreditLimit))
		} else {
			row = append(row, 0)
		}
		write()
	}
	row = binary.AppendUvarint(row, uint64(len(d.Products)))
	for _, p := range d.Products {
		for _, s := range []string{p.Code, p.Line, p.Scale, p.Vendor} {
			put(s)
		}
		row = binary.AppendVarint(row, int64(p.MSRP))
		write()
	}
	for _, r := range d.Interactions {
		row = binary.AppendVarint(row, int64(r.Customer))
		row = binary.AppendVarint(row, int64(r.Product))
		row = binary.AppendVarint(append(row, byte(r.Stars)), r.RatedAt)
		write()
	}
	return hex.EncodeToString(h.Sum(nil))
}

// historyHash is setHash for a set of interactions.
func historyHash(h *trainingset.History, d *Data) string {
	sum := sha256.New()
	write := json.NewEncoder(sum) // of values that always encode, to a hash, which never fails
	_ = write.Encode("interactions")
	for i := range d.Customers {
		c := &d.Customers[i]
		_ = write.Encode([]any{c.ID, c.Guest, c.Country, c.City, c.Features, c.Numbers})
	}
	for i := range d.Products {
		p := &d.Products[i]
		_ = write.Encode([]any{p.ID, p.Line, p.Features, p.Numbers})
	}
	_ = write.Encode(h.Kinds)
	var row []byte
	for i := range h.Entries {
		e := &h.Entries[i]
		row = row[:0]
		for _, n := range []int64{int64(e.Customer), int64(e.Session), int64(e.Product), int64(e.Order),
			int64(e.Kind), e.At} {
			row = binary.AppendVarint(row, n)
		}
		row = binary.AppendUvarint(row, uint64(math.Float32bits(e.Value)))
		row = binary.AppendUvarint(row, uint64(math.Float32bits(e.Quantity)))
		_, _ = sum.Write(row)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// versionID names the model that the input and the version before give: m and 15 hex digits, valid
// as part of an SQL identifier.
func versionID(input, previous string) string {
	return "m" + checksum.Bytes([]byte(input + previous))[:15]
}
