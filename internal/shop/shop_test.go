package shop_test

import (
	"strings"
	"testing"

	"kindred/internal/shop"
)

func TestParseCentsKeepsEveryCent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]shop.Cents{
		"0.00": 0, "0.07": 7, "-0.07": -7, "12.3": 1230, "12": 1200, "99999999.99": shop.MaxCents,
		"-99999999.99": -shop.MaxCents,
	} {
		got, err := shop.ParseCents(text)
		if err != nil || got != want {
			t.Errorf("ParseCents(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "1.234", "1e3", "--1", "+1", "1.-5", "100000000.00", "abc", "1.2x"} {
		if got, err := shop.ParseCents(text); err == nil {
			t.Errorf("ParseCents(%q) = %d, want an error", text, got)
		}
	}
}

func TestCentsStringIsWhatParseCentsReads(t *testing.T) {
	t.Parallel()
	for _, cents := range []shop.Cents{0, 5, -5, 100, 12345, -9999999999} {
		if got, err := shop.ParseCents(cents.String()); err != nil || got != cents {
			t.Errorf("%d → %q → %d, %v", cents, cents, got, err)
		}
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	t.Parallel()
	err := shop.Product{Code: "A code of far too many characters", BuyPrice: -1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "characters") || !strings.Contains(err.Error(), "negative price") {
		t.Errorf("product: %v", err)
	}
	err = shop.Rating{Stars: 6}.Validate()
	if err == nil || !strings.Contains(err.Error(), "6 stars") || !strings.Contains(err.Error(), "no product") {
		t.Errorf("rating: %v", err)
	}
	if err := (shop.Rating{ProductCode: "S10_1678", Stars: 5}).Validate(); err != nil {
		t.Errorf("good rating: %v", err)
	}
}
