package delivery

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/platform/awsenv"
)

// request is what a server sees of a call.
type request struct {
	Method, Path, Target, ContentType string
	Signed                            bool // for Firehose in this region
	Body                              any
}

// mustFirehose makes a client of a server that answers so, and the SDK's. seen are the requests that came.
func mustFirehose(t *testing.T, status int, answer string) (own *firehose, theirs *sdk.Client, seen *[]request) {
	t.Helper()
	seen = &[]request{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := request{Method: r.Method, Path: r.URL.Path, Target: r.Header.Get("X-Amz-Target"),
			ContentType: r.Header.Get("Content-Type"),
			Signed:      strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/firehose/aws4_request")}
		data, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(data, &got.Body)
		}
		if err != nil {
			t.Errorf("body %q: %v", data, err)
		}
		*seen = append(*seen, got)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	env, err := awsenv.Load(func(name string) string {
		return map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
			"AWS_ENDPOINT_URL": server.URL}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if own, err = newFirehose(env, "recommendations.eu-1"); err != nil {
		t.Fatal(err)
	}
	return own, sdk.New(sdk.Options{Region: "eu-west-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}), seen
}

func TestPutRecordBatchAsksAsTheSDKDoes(t *testing.T) {
	t.Parallel()
	own, theirs, seen := mustFirehose(t, http.StatusOK,
		`{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"RecordId":"1"},{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"slow down"}]}`)
	records := [][]byte{[]byte("{\"a\":\"é<&>\"}\n"), {0, 255, 128}}
	out, err := own.putRecordBatch(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	input := &sdk.PutRecordBatchInput{DeliveryStreamName: aws.String("recommendations.eu-1")}
	for _, r := range records {
		input.Records = append(input.Records, types.Record{Data: r})
	}
	want, err := theirs.PutRecordBatch(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff((*seen)[1], (*seen)[0]); diff != "" || !(*seen)[0].Signed {
		t.Errorf("request of the SDK (-) and ours (+): %s", diff)
	}
	if out.FailedPutCount != int(*want.FailedPutCount) || len(out.RequestResponses) != len(want.RequestResponses) {
		t.Fatalf("answer %+v, want %+v", out, want)
	}
	for i, entry := range want.RequestResponses {
		if got := out.RequestResponses[i]; got.ErrorCode != aws.ToString(entry.ErrorCode) ||
			got.ErrorMessage != aws.ToString(entry.ErrorMessage) {
			t.Errorf("entry %d: %+v, want %+v", i, got, entry)
		}
	}
}

func TestPutRecordBatchTellsFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status       int
		answer, want string
	}{
		"no such stream": {400, `{"__type":"ResourceNotFoundException","message":"Firehose s not found"}`,
			"400 Bad Request: ResourceNotFoundException Firehose s not found"},
		"a proxy's page":    {502, `<html>`, "502 Bad Gateway"},
		"no JSON":           {200, `<html>`, "read answer"},
		"another answer":    {200, `{}`, "not PutRecordBatch's"},
		"an answer cut off": {200, `{"FailedPutCount":0,"RequestRes`, "read answer"},
	} {
		own, _, _ := mustFirehose(t, test.status, test.answer)
		if out, err := own.putRecordBatch(t.Context(), [][]byte{[]byte("x")}); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}
