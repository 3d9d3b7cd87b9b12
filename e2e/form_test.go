package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The form takes for an email address what the server takes.
func TestFormKnowsAnEmailAddress(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../chatserver/testdata/emails.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Good, Bad []string }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, startServer(t).URL)
	p.Visit("/")
	says := func(email string) (words string) {
		t.Helper()
		text, _ := json.Marshal(email)
		p.js(fmt.Sprintf(`(() => {
			const field = document.getElementById("email")
			field.value = %s
			field.form.requestSubmit()
			return document.getElementById("signin-error").textContent })()`, text), &words)
		return words
	}
	for _, email := range list.Good {
		if words := says(email); words != "Enter your password." {
			t.Errorf("%q is refused: %s", email, words)
		}
	}
	for _, email := range list.Bad {
		if strings.Contains(email, "\n") {
			continue // the field takes no line breaks
		}
		want := "This is not an email address. It looks like name@example.com."
		if email == "" {
			want = "Enter your email address."
		}
		if words := says(email); words != want {
			t.Errorf("%q: %q", email, words)
		}
	}
}

// A refusal leads to the field that it is about, and is read with it; one about no field leads to the password.
func TestRefusalLeadsToItsField(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startServer(t).URL)
	p.Visit("/")
	p.see("button", "Create account").click()
	p.see("heading", "Create account")
	email, password := p.see("textbox", "Email"), p.see("textbox", "Password")
	invalid := func(e *element, want string, about string) {
		t.Helper()
		if got := e.attr("aria-invalid"); got != want {
			t.Errorf("%s has aria-invalid=%q, want %q", e, got, want)
		}
		if got := e.attr("aria-describedby"); strings.Contains(got, "create-error") != (want == "true") {
			t.Errorf("%s is described by %q", e, got)
		}
		if about == e.Name {
			if err := e.focused(); err != nil {
				t.Error(err)
			}
		}
	}
	p.js(`starling.submitted("create", "An account with this email address exists already.", "email")`, nil)
	p.SeeAlert("An account with this email address exists already.")
	invalid(email, "true", "Email")
	invalid(password, "", "Email")
	p.js(`starling.submitted("create", "The server is not available.")`, nil)
	p.SeeAlert("The server is not available.")
	invalid(email, "", "Password")
	invalid(password, "", "Password")
	p.js(`starling.submitted("create", "Words.", "no such field")`, nil)
	invalid(password, "", "Password")

	// While it is under way the form says so in the way that is read.
	p.js(`(starling.submit = () => {}, 1)`, nil)
	p.see("textbox", "Name").fill("Nora")
	email.fill("nora@example.com")
	password.fill("correct horse battery")
	p.see("button", "Create account").click()
	busy := func(want string) {
		t.Helper()
		var got string
		p.js(`document.getElementById("create-form").getAttribute("aria-busy") ?? "none"`, &got)
		if got != want {
			t.Errorf("aria-busy is %q, want %q", got, want)
		}
	}
	busy("true")
	p.js(`starling.submitted("create", "Words.")`, nil)
	busy("none")
}
