package awsday

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"kindred/terraform/tf/promotion"
)

// restoreTime bounds the wait for a snapshot, an instance or a deletion.
const restoreTime = time.Hour

// copySuffix ends the identifier of the restored instance, and of its snapshot.
const copySuffix = "-day"

// restore takes a snapshot of the vector database, and makes a second instance of it in the same network. The password
// is that of the original, as the snapshot has it.
func (e *Environment) restore(ctx context.Context, o promotion.Outputs) (string, error) {
	client, original := rds.NewFromConfig(e.Promotion.AWS), o.Vectors.Identifier
	seen, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &original})
	if err != nil || len(seen.DBInstances) == 0 {
		return "", fmt.Errorf("look up %s: %w", original, err)
	}
	like, id, began := seen.DBInstances[0], original+copySuffix, time.Now()
	e.copied = id // from here on Destroy looks for it
	if _, err := client.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{DBInstanceIdentifier: &original,
		DBSnapshotIdentifier: &id}); err != nil {
		return "", fmt.Errorf("take a snapshot of %s: %w", original, err)
	}
	if err := e.until(ctx, "snapshot "+id, func(ctx context.Context) (bool, error) {
		seen, err := client.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id})
		return err == nil && len(seen.DBSnapshots) > 0 && aws.ToString(seen.DBSnapshots[0].Status) == "available", err
	}); err != nil {
		return "", err
	}
	taken := time.Since(began)
	var groups []string
	for _, g := range like.VpcSecurityGroups {
		groups = append(groups, aws.ToString(g.VpcSecurityGroupId))
	}
	input := &rds.RestoreDBInstanceFromDBSnapshotInput{DBInstanceIdentifier: &id, DBSnapshotIdentifier: &id,
		DBInstanceClass: like.DBInstanceClass, VpcSecurityGroupIds: groups, PubliclyAccessible: aws.Bool(false),
		DeletionProtection: aws.Bool(false), MultiAZ: aws.Bool(false)}
	if like.DBSubnetGroup != nil {
		input.DBSubnetGroupName = like.DBSubnetGroup.DBSubnetGroupName
	}
	if len(like.DBParameterGroups) > 0 {
		input.DBParameterGroupName = like.DBParameterGroups[0].DBParameterGroupName
	}
	if _, err := client.RestoreDBInstanceFromDBSnapshot(ctx, input); err != nil {
		return "", fmt.Errorf("restore %s: %w", id, err)
	}
	if err := e.until(ctx, "instance "+id, func(ctx context.Context) (bool, error) {
		host, err := e.host(ctx, client, id)
		return host != "", err
	}); err != nil {
		return "", err
	}
	return fmt.Sprintf("a snapshot in %v, and an instance in %v", taken.Round(time.Second),
		(time.Since(began) - taken).Round(time.Second)), nil
}

// host is the address of an instance once it is available.
func (e *Environment) host(ctx context.Context, client *rds.Client, id string) (string, error) {
	seen, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil || len(seen.DBInstances) == 0 || aws.ToString(seen.DBInstances[0].DBInstanceStatus) != "available" ||
		seen.DBInstances[0].Endpoint == nil {
		return "", err
	}
	return aws.ToString(seen.DBInstances[0].Endpoint.Address), nil
}

// until waits until done, for restoreTime at most. A look that fails is repeated.
func (e *Environment) until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, restoreTime)
	defer stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if waited := e.wait(ctx); waited != nil {
			return fmt.Errorf("wait for %s: %w", what, errors.Join(waited, err))
		}
	}
}

// compare lets publish list both databases' versions. publish list counts the rows of each, too, and says what is
// missing.
func (e *Environment) compare(ctx context.Context, o promotion.Outputs) (string, error) {
	host, err := e.host(ctx, rds.NewFromConfig(e.Promotion.AWS), e.copied)
	if err != nil || host == "" {
		return "", fmt.Errorf("look up %s: not available (%w)", e.copied, err)
	}
	other, err := withHost(o.Vectors.DSN, host)
	if err != nil {
		return "", err
	}
	original, err := e.list(ctx, o, o.Vectors.DSN)
	if err != nil {
		return "", err
	}
	restored, err := e.list(ctx, o, other)
	if err != nil {
		return "", err
	}
	return same(original, restored)
}

// withHost is a DSN with another host.
func withHost(dsn, host string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("the output vectors has no address") // the text of the error would quote it
	}
	u.Host = host + ":" + u.Port()
	return u.String(), nil
}

// list is the result of publish list on a database.
func (e *Environment) list(ctx context.Context, o promotion.Outputs, dsn string) ([]byte, error) {
	task, err := e.Promotion.RunTask(ctx, o, "publish", "/publish", "list", "--json", "--pgvector-dsn", dsn)
	if err != nil {
		return nil, err
	}
	return e.Promotion.Result(ctx, o, "publish", task)
}

// listing is a part of the result of publish list (docs/formats.md).
type listing struct {
	Result struct {
		Versions []struct {
			ID               string `json:"model_version"`
			State            string
			Live             bool
			Items, Customers int
			Damage           []string
		}
	}
}

// same compares two results of publish list.
func same(original, restored []byte) (string, error) {
	var a, b listing
	if err := errors.Join(json.Unmarshal(original, &a), json.Unmarshal(restored, &b)); err != nil {
		return "", fmt.Errorf("read the result of publish list: %w", err)
	}
	one, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("compare: %w", err)
	}
	two, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("compare: %w", err)
	}
	if len(a.Result.Versions) == 0 {
		return "", errors.New("the database has no version: there is nothing to compare")
	}
	if !bytes.Equal(one, two) {
		return "", fmt.Errorf("the databases differ: the original has %s, the restored one %s", one, two)
	}
	rows, live := 0, ""
	for _, v := range a.Result.Versions {
		if len(v.Damage) > 0 {
			return "", fmt.Errorf("version %s is damaged in both databases: %s", v.ID, strings.Join(v.Damage, ", "))
		}
		rows += v.Items + v.Customers
		if v.Live {
			live = v.ID
		}
	}
	return fmt.Sprintf("%d versions with %d rows in both; %s is live", len(a.Result.Versions), rows, live), nil
}

// Recall makes Destroy look for the copy of an earlier day, too.
func (e *Environment) Recall(ctx context.Context) error {
	o, err := e.Promotion.Outputs(ctx)
	if err == nil && o.Vectors.Identifier != "" {
		e.copied = o.Vectors.Identifier + copySuffix
	}
	return err
}

// uncopy deletes the restored instance and its snapshot, and returns what is left of them.
func (e *Environment) uncopy(ctx context.Context) (left []string, err error) {
	if e.copied == "" {
		return nil, nil
	}
	client, id := rds.NewFromConfig(e.Promotion.AWS), e.copied
	// RDS refuses to delete what it is still making, so each look deletes again.
	err = e.until(ctx, "the end of instance "+id, func(ctx context.Context) (bool, error) {
		_, err := client.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{DBInstanceIdentifier: &id,
			SkipFinalSnapshot: aws.Bool(true), DeleteAutomatedBackups: aws.Bool(true)})
		var gone *types.DBInstanceNotFoundFault
		return errors.As(err, &gone), err
	})
	if err != nil {
		left = append(left, "database instance "+id)
	}
	snapshot := e.until(ctx, "the end of snapshot "+id, func(ctx context.Context) (bool, error) {
		_, err := client.DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: &id})
		var gone *types.DBSnapshotNotFoundFault
		return errors.As(err, &gone), err
	})
	if snapshot != nil {
		left = append(left, "database snapshot "+id)
	}
	if len(left) == 0 {
		e.copied = ""
	}
	return left, errors.Join(err, snapshot)
}
