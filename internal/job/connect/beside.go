package connect

import (
	"context"
	"fmt"
	"strings"

	"kindred/internal/job/etl"
	"kindred/internal/job/train"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
)

// settle finds the shop's places. Where another shop is in one of those that are given, all of them
// are places of the shop's own beside them: the folder shop=<name> of lake and artifacts, and a
// database with its name. What is another's is never touched.
func (r *run) settle(ctx context.Context) error {
	other, err := r.other(ctx)
	if err != nil || other == "" {
		return err
	}
	given := r.PGVector
	if r.PGVector, err = vectorstore.Beside(given, r.Name); err != nil {
		return err
	}
	r.Lake.Bucket, r.Artifacts.Bucket = beside(r.Lake.Bucket, r.Name), beside(r.Artifacts.Bucket, r.Name)
	if !r.DryRun {
		if err := vectorstore.CreateDatabase(ctx, given, r.PGVector); err != nil {
			return err
		}
	}
	r.result.Beside = other
	r.say("The shop %s is there already, and stays as it is. The shop %s has places of its own:\n  %s\n  %s\n  %s",
		other, r.Name, r.Lake.Place(), r.Artifacts.Place(), r.PGVector.Place())
	return nil
}

// other names another shop that is in one of the given places; empty: there is none.
func (r *run) other(ctx context.Context) (string, error) {
	if r.Lake.Bucket != "" {
		other, err := etl.OtherShop(ctx, r.Lake, r.database, r.Name)
		if err != nil || other != "" {
			return other, err
		}
	}
	if r.Artifacts.Bucket != "" {
		store, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", r.Artifacts.Bucket)
		if err != nil {
			return "", err
		}
		other, err := train.OtherShop(ctx, store, r.Name)
		if err != nil || other != "" {
			return other, err
		}
	}
	if r.PGVector.DSN == "" {
		return "", nil
	}
	store, err := vectorstore.OpenAs(ctx, r.PGVector, awsclient.Environment)
	if err != nil {
		return "", err
	}
	defer store.Close()
	live, err := store.LiveShop(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the vector database for its shop: %w", err)
	}
	if envconfig.OtherShop(live, r.Name) {
		return live, nil
	}
	return "", nil
}

// beside is a shop's own folder in a bucket, in a prefix of one, or in a folder.
func beside(location, shop string) string {
	if !strings.Contains(location, "://") {
		location = "s3://" + location
	}
	return strings.TrimSuffix(location, "/") + "/shop=" + shop
}
