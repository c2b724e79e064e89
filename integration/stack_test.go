package integration

import (
	"database/sql"
	"io"
	"strings"
	"testing"

	"kindred/internal/awsclient"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestStackGivesEachTestItsOwn(t *testing.T) {
	t.Parallel()
	s := mustStack(t)
	ctx := t.Context()

	db, err := sql.Open("mysql", s.mustDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var charset, name string
	if err := db.QueryRowContext(ctx, "SELECT @@character_set_database, DATABASE()").Scan(&charset, &name); err != nil {
		t.Fatal(err)
	}
	if charset != "utf8mb4" || !strings.HasPrefix(name, "kindred_") {
		t.Errorf("database %q has character set %q", name, charset)
	}

	execPostgres(t, ctx, s.mustVectorDatabase(t), "SELECT '[1,2,3]'::vector <=> '[3,2,1]'::vector")

	bucket, client := s.mustBucket(t), awsclient.S3(s.AWS)
	key := "greeting"
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("hello")}); err != nil {
		t.Fatal(err)
	}
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if body, err := io.ReadAll(object.Body); err != nil || string(body) != "hello" {
		t.Errorf("read %q, %v", body, err)
	}
}
