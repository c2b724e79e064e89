package envconfig

import (
	"net/url"
	"os"
	"slices"
	"strings"
)

// unreadable stands for a DSN that cannot be read: printing it could print a password.
const unreadable = "a DSN that cannot be read"

// Place says which shop this is: host and database, never a password. "" when it is not set.
func (m MySQL) Place() string {
	if m.DSN == "" {
		return ""
	}
	// user:password@net(address)/database?parameters; user, password and address may hold / and @
	before, _, _ := strings.Cut(m.DSN[strings.LastIndex(m.DSN, ")")+1:], "?")
	database, found := strings.CutPrefix(before, "/")
	address := m.DSN[:strings.LastIndex(m.DSN, ")")+1]
	open := strings.LastIndex(address, "(")
	if !found || open < 0 || strings.ContainsAny(database, "/@:") || !network(address[:open]) {
		return "shop " + unreadable
	}
	return "shop " + address[open+1:len(address)-1] + "/" + database
}

// network reports whether a MySQL DSN's text before the address ends with a network. Other text is
// no such DSN, and what it has in parentheses may be a password.
func network(before string) bool {
	return slices.Contains([]string{"tcp", "tcp4", "tcp6", "unix"}, before[strings.LastIndex(before, "@")+1:])
}

// Place says which vector database this is: host and database, never a password. "" when it is not
// set.
func (p PGVector) Place() string {
	const kind = "vector database "
	if p.DSN == "" {
		return ""
	}
	if strings.HasPrefix(p.DSN, "postgres://") || strings.HasPrefix(p.DSN, "postgresql://") {
		u, err := url.Parse(p.DSN)
		// an @ after the host ends a password with an unescaped /, ? or #, of which a part would be shown
		_, rest, _ := strings.Cut(p.DSN, "://")
		if end := strings.IndexAny(rest, "/?#"); err != nil || end >= 0 && strings.Contains(rest[end:], "@") {
			return kind + unreadable
		}
		return kind + u.Host + u.Path
	}
	words := map[string]string{}
	for word := range strings.FieldsSeq(p.DSN) { // host=… port=… dbname=…; a quoted value may hold spaces
		if name, value, ok := strings.Cut(word, "="); ok {
			words[name] = strings.Trim(value, "'")
		}
	}
	if words["host"] == "" || strings.Contains(p.DSN, "'") {
		return kind + unreadable
	}
	host := words["host"]
	if words["port"] != "" {
		host += ":" + words["port"]
	}
	return kind + host + "/" + words["dbname"]
}

// Place says which lake this is.
func (l Lake) Place() string { return store("lake", l.Bucket) }

// Place says which store of model versions this is.
func (a Artifacts) Place() string { return store("artifacts", a.Bucket) }

// Place says which store of recommendations this is.
func (r Recommendations) Place() string { return store("recommendations", r.Bucket) }

// Place says which stream this is.
func (s Stream) Place() string {
	if s.Name == "" {
		return ""
	}
	return "stream " + s.Name + endpoint("KINESIS")
}

// store names a bucket or folder with the endpoint of S3, unless that is AWS's own.
func store(kind, location string) string {
	switch {
	case location == "":
		return ""
	case strings.HasPrefix(location, "file://"):
		return kind + " " + location
	case !strings.Contains(location, "://"):
		location = "s3://" + location
	}
	return kind + " " + location + endpoint("S3")
}

// endpoint is " at host:port" where the environment leads a service elsewhere than to AWS.
func endpoint(service string) string {
	for _, name := range []string{"AWS_ENDPOINT_URL_" + service, "AWS_ENDPOINT_URL"} {
		if u, err := url.Parse(os.Getenv(name)); err == nil && u.Host != "" {
			return " at " + u.Host
		}
	}
	return " on AWS"
}
