package erase

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"kindred/internal/lake/erased"
	"kindred/internal/platform/program"
)

// ErrSignature means that a report is not as it was signed, or was signed with another secret.
var ErrSignature = errors.New("the report is not as it was signed, or the secret is another one")

// check fails unless the file is a report as it was signed.
func (c *Command) check(out *program.Output) error {
	data, err := os.ReadFile(c.Check)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	result, err := checked(data, erased.Signer(c.Erasure.Secret))
	if err != nil {
		return fmt.Errorf("%s: %w", c.Check, err)
	}
	return out.Result("The report is as it was signed.\n", result)
}

// checked reads a report and repeats its signature. A field that a report does not have is not signed: it is refused.
func checked(data []byte, list *erased.List) (*Result, error) {
	var result Result
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	if decoder.More() {
		return nil, ErrSignature
	}
	signature := result.Signature
	result.Signature = ""
	signed, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal([]byte(list.Sign(signed)), []byte(signature)) {
		return nil, ErrSignature
	}
	result.Signature = signature
	return &result, nil
}
