package program

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"kindred/internal/platform/envconfig"
)

func TestHintsAreForTheLocalStackOnly(t *testing.T) {
	t.Parallel()
	absent := fmt.Errorf("read s3://lake: bucket lake %w", envconfig.ErrAbsent)
	notSet := fmt.Errorf("open: %w", envconfig.NotSetError{Variable: "LAKE_BUCKET"})
	for name, test := range map[string]struct {
		err   error
		local bool
		want  string // "" wants no hint
	}{
		"missing bucket, local stack": {absent, true, "make deploy"},
		"missing bucket, AWS":         {absent, false, ""},
		"missing stream, SDK's error": {&types.ResourceNotFoundException{}, true, "make deploy"},
		"unset variable, local stack": {notSet, true, "make local-up"},
		"unset variable, AWS":         {notSet, false, ""},
		"anything else":               {errors.New("disk is full"), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hint(test.err, test.local)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("hint %q, want one with %q", got, test.want)
			}
		})
	}
}
