package rules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheBoundaryOfTheDocumentsHolds reads the permissions boundary that docs/deploy.md recommends. It must let the
// role of module ci do what its policies allow, and let no role make another one without the boundary, or change who
// promotes.
func TestTheBoundaryOfTheDocumentsHolds(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	var boundary struct {
		Statement []struct {
			Statement
			NotAction list
		}
	}
	text := regexp.MustCompile("(?s)```json\n({\"Version\".*?)```").FindSubmatch(page)
	if text == nil || json.Unmarshal(text[1], &boundary) != nil || len(boundary.Statement) < 3 {
		t.Fatal("docs/deploy.md has no boundary")
	}
	const own, ci = "arn:aws:iam::123456789012:role/kindred-dev-x", "arn:aws:iam::123456789012:role/kindred-dev-ci"
	// lets reports whether the boundary lets something happen, with a role that has the boundary or not.
	lets := func(action, resource string, bounded bool) bool {
		allowed := false
		for _, s := range boundary.Statement {
			is := anyMatches(s.Action, action) || len(s.NotAction) > 0 && !anyMatches(s.NotAction, action)
			if !is || !anyMatches(s.Resource, resource) {
				continue
			}
			if s.Effect == "Deny" {
				return false
			}
			allowed = allowed || bounded || len(s.Condition["StringEquals"]["iam:PermissionsBoundary"]) == 0
		}
		return allowed
	}
	plan := New(mustFixture(t), region)
	seen := 0
	for _, s := range plan.policies["kindred-dev-ci"] {
		for _, action := range s.Action {
			if strings.HasPrefix(action, "iam:") && s.Effect == "Allow" {
				seen++
				if !lets(action, own, true) {
					t.Errorf("it refuses the promotion %s", action)
				}
			}
			if _, name, _ := strings.Cut(action, ":"); name == "*" && !lets(strings.TrimSuffix(action, "*")+"Any", "*", true) {
				t.Errorf("it refuses the promotion %s", action)
			}
		}
	}
	if seen < 15 {
		t.Errorf("the role of ci has only %d actions of IAM", seen)
	}
	for _, action := range slices.Concat(bounded(), []string{"iam:CreateUser", "iam:CreateAccessKey",
		"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "sts:AssumeRole"}) {
		if lets(action, own, false) {
			t.Errorf("it lets a role %s without the boundary", action)
		}
	}
	for _, action := range slices.Concat(gives(), []string{"iam:DeleteRolePermissionsBoundary",
		"iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:PassRole"}) {
		if lets(action, ci, true) {
			t.Errorf("it lets a role %s on who promotes", action)
		}
		if lets(action, "arn:aws:iam::123456789012:role/admin", true) {
			t.Errorf("it lets a role %s on others' roles", action)
		}
	}
}
