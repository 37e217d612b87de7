package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestRealClients lets real client libraries of DHIS2 do their usual work. It needs a Python that
// has them: CULVERT_TEST_PYTHON names it.
func TestRealClients(t *testing.T) {
	t.Parallel()
	python := os.Getenv("CULVERT_TEST_PYTHON")
	named := python != ""
	if !named {
		python = "python3"
	}
	for module, script := range map[string]string{"dhis2": "work_with_dhis2_py.py",
		"dhis2_client": "work_with_dhis2_client.py"} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.Command(python, "-c", "import "+module).CombinedOutput(); err != nil {
				if named {
					t.Fatalf("CULVERT_TEST_PYTHON names %s, which has no module %s: %v %.200s", python, module, err, out)
				}
				t.Skipf("%s has no module %s, so this client is not tried; CULVERT_TEST_PYTHON may name a Python that has it: "+
					"%v %.200s", python, module, err, out)
			}
			for _, version := range []string{"2.41", "2.42", "2.43"} {
				s := newSite(t, Options{Version: version})
				if out, err := exec.Command(python, "testdata/clients/"+script, s.web.URL, version).CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", version, err, out)
				}
			}
		})
	}
}

// TestJavaClient lets dhis2-java-client do its usual work. It needs a JDK, and a folder with the
// client and what it needs: CULVERT_TEST_JAVA_CLIENT names it (testdata/clients/pom.xml fetches it).
func TestJavaClient(t *testing.T) {
	t.Parallel()
	jars := os.Getenv("CULVERT_TEST_JAVA_CLIENT")
	if jars == "" {
		t.Skip("CULVERT_TEST_JAVA_CLIENT names no folder of dhis2-java-client, so this client is not tried")
	}
	if found, err := filepath.Glob(filepath.Join(jars, "dhis2-java-client-*.jar")); err != nil || len(found) == 0 {
		t.Fatalf("CULVERT_TEST_JAVA_CLIENT names %s, which holds no dhis2-java-client (%v)", jars, err)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("no java, so this client is not tried")
	}
	for _, version := range []string{"2.41", "2.42", "2.43"} {
		s := newSite(t, Options{Version: version})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, java, "-cp", filepath.Join(jars, "*"),
			"testdata/clients/WorkWithJavaClient.java", s.web.URL, version)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
}
