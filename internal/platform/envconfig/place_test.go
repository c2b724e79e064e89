package envconfig

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPlace(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://user:s3cret@127.0.0.1:4566/path")
	for _, test := range []struct {
		place interface{ Place() string }
		want  string
	}{
		{MySQL{}, ""},
		{MySQL{DSN: "ann:s3cret@tcp(db:3306)/shop?parseTime=true&time_zone=%27UTC%27"}, "shop db:3306/shop"},
		{MySQL{DSN: "ann:s3c@r(e)/t@tcp(db:3306)/shop"}, "shop db:3306/shop"},
		{MySQL{DSN: "tcp([::1]:3306)/"}, "shop [::1]:3306/"},
		{MySQL{DSN: "ann:s3cret@unix(/run/my.sock)/shop"}, "shop /run/my.sock/shop"},
		{MySQL{DSN: "ann:s3cret@/shop"}, "shop " + unreadable},
		{MySQL{DSN: "mysql://ann:s3cret@db/shop"}, "shop " + unreadable},
		{PGVector{DSN: "postgres://ann:s3cret@db:5432/vectors?sslmode=disable"}, "vector database db:5432/vectors"},
		{PGVector{DSN: "host=db port=5432 user=ann password=s3cret dbname=vectors"}, "vector database db:5432/vectors"},
		{PGVector{DSN: "host=db password='host=s3cret host=s3cret'"}, "vector database " + unreadable},
		{PGVector{DSN: "postgres://ann:s3cret%@db/vectors"}, "vector database " + unreadable},
		{PGVector{DSN: "s3cret"}, "vector database " + unreadable},
		{Lake{Bucket: "lake"}, "lake s3://lake at 127.0.0.1:4566"},
		{Lake{Bucket: "file:///tmp/lake"}, "lake file:///tmp/lake"},
		{Artifacts{Bucket: "s3://models/a"}, "artifacts s3://models/a at 127.0.0.1:4566"},
		{Recommendations{Bucket: "r"}, "recommendations s3://r at 127.0.0.1:4566"},
		{Stream{Name: "clicks"}, "stream clicks at 127.0.0.1:4566"},
	} {
		if got := test.place.Place(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.place, got, test.want)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "")
	if got := (Lake{Bucket: "lake"}).Place(); got != "lake s3://lake on AWS" {
		t.Error(got)
	}
}

// A password never shows, whatever it holds and however the DSN is written.
func TestPlaceHidesThePassword(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		noise := rapid.StringMatching(`[-@:/()?=&'" %a-z0-9]{0,12}`)
		secret := noise.Draw(t, "before") + "S3CRET" + noise.Draw(t, "after")
		form := rapid.SampledFrom([]string{
			"ann:PW@tcp(db:3306)/shop", "ann:PW@tcp(db:3306)/shop?a=b", "ann:PW@/shop", "ann:PW@db/shop", "PW",
			"postgres://ann:PW@db:5432/v", "postgresql://ann:PW@db/v?sslmode=disable", "host=db password='PW' dbname=v",
			"password=PW host=db", "host=db password=PW",
		}).Draw(t, "form")
		dsn := strings.ReplaceAll(form, "PW", secret)
		for _, place := range []string{MySQL{DSN: dsn}.Place(), PGVector{DSN: dsn}.Place()} {
			if strings.Contains(place, "S3CRET") {
				t.Fatalf("%q prints %q", dsn, place)
			}
		}
	})
}
