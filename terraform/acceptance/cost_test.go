package acceptance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kindred/terraform/tf/promotion"
)

// mostSmall is what the profile small may cost, in US dollars a month, when nobody uses it.
const mostSmall = 60

// TestStaticCosts plans an environment of each profile. Its lines of cost must be those of docs/deploy.md, which
// -update writes.
func TestStaticCosts(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	packages, profiles := mustPackages(t), []string{"small", "standard", "large"}
	costs, lines := map[string]promotion.Cost{}, map[string]bool{}
	for _, profile := range profiles {
		v := variant{"costs-" + profile, "aws", awsAccount, awsRegion, map[string]any{"environment": "dev",
			"account_id": awsAccount, "region": awsRegion, "package_dir": packages, "image_tag": imageTag,
			"profile": profile, "feedback": map[string]any{}}}
		root := mustPlanner(t, w, v).root
		plan := filepath.Join(t.TempDir(), "plan")
		if _, err := root.Run(t.Context(), "plan", "-refresh=false", "-input=false", "-no-color",
			"-var-file="+mustVariables(t, v.vars), "-out="+plan); err != nil {
			t.Fatal(err)
		}
		shown, err := root.Run(t.Context(), "show", "-json", plan)
		if err != nil {
			t.Fatal(err)
		}
		if costs[profile], err = promotion.AtRest(shown, awsRegion); err != nil {
			t.Fatal(err)
		}
		for line := range costs[profile].Lines {
			lines[line] = true
		}
	}
	if total := costs["small"].Total; total > mostSmall {
		t.Errorf("small costs %.1f USD a month, more than %d", total, mostSmall)
	}
	row := func(name string, value func(promotion.Cost) float64) string {
		cells := []string{"", name}
		for _, profile := range profiles {
			cells = append(cells, fmt.Sprintf("%.1f", value(costs[profile])))
		}
		return strings.TrimSpace(strings.Join(append(cells, ""), " | "))
	}
	table := []string{"| line | small | standard | large |", "|---|---|---|---|"}
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		table = append(table, row("`"+line+"`", func(c promotion.Cost) float64 { return c.Lines[line] }))
	}
	table = append(table, row("together", func(c promotion.Cost) float64 { return c.Total }))

	const mark = "<!-- costs: make tf-rules ARGS=-update -->\n"
	file := filepath.Join(w.Repository, "docs", "deploy.md")
	before, rest, found := strings.Cut(string(mustRead(t, file)), mark)
	_, after, ends := strings.Cut(rest, "\n\n")
	if !found || !ends {
		t.Fatalf("docs/deploy.md has no %q", mark)
	}
	want := before + mark + strings.Join(table, "\n") + "\n\n" + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(mustRead(t, file)) != want {
		t.Errorf("docs/deploy.md has other costs (make tf-rules ARGS=-update writes them):\n%s", strings.Join(table, "\n"))
	}
}
