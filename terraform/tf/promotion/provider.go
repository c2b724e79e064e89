package promotion

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// MirrorVariable names an environment variable: a folder with the provider's zip, in the layout of
// `terraform providers mirror`. If it is empty, Terraform downloads the provider.
const MirrorVariable = "KINDRED_TERRAFORM_MIRROR"

// providerFolder is the folder of the provider in a mirror. kindred uses no other provider.
const providerFolder = "registry.terraform.io/hashicorp/aws"

// prepareProvider writes Terraform's CLI configuration. It unpacks the zip of a mirror once, so that
// each init links the provider (3 s) instead of copying 900 MB (9 s). Without a mirror, Terraform
// downloads the provider once.
func (w *Workspace) prepareProvider(ctx context.Context) error {
	if err := os.MkdirAll(w.State, 0o755); err != nil {
		return fmt.Errorf("prepare Terraform's provider: %w", err)
	}
	var config string
	pattern := "terraform-provider-aws_*_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip"
	if root := os.Getenv(MirrorVariable); root != "" {
		zips, err := filepath.Glob(filepath.Join(root, providerFolder, pattern))
		if err != nil || len(zips) == 0 {
			return fmt.Errorf("prepare Terraform's provider: %s is %s, which does not contain %s", MirrorVariable, root,
				filepath.Join(providerFolder, pattern))
		}
		mirror := filepath.Join(w.State, "mirror")
		if err := unpackProvider(ctx, zips[len(zips)-1], mirror); err != nil {
			return fmt.Errorf("unpack Terraform's provider: %w", err)
		}
		config = fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	} else {
		cache := filepath.Join(w.State, "plugins")
		if err := os.MkdirAll(cache, 0o755); err != nil {
			return fmt.Errorf("prepare Terraform's provider: %w", err)
		}
		config = fmt.Sprintf("plugin_cache_dir = %q\nplugin_cache_may_break_dependency_lock_file = true\n", cache)
	}
	if err := os.WriteFile(w.config, []byte("disable_checkpoint = true\n"+config), 0o644); err != nil {
		return fmt.Errorf("write Terraform's configuration: %w", err)
	}
	return nil
}

// unpackProvider unpacks terraform-provider-aws_<version>_<os>_<arch>.zip into mirror, unless it is
// already there.
func unpackProvider(ctx context.Context, archive, mirror string) error {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(archive), ".zip"), "_")
	if len(parts) != 4 {
		return fmt.Errorf("%s: the name must be terraform-provider-aws_<version>_<os>_<arch>.zip", filepath.Base(archive))
	}
	folder := filepath.Join(mirror, providerFolder, parts[1], parts[2]+"_"+parts[3])
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // opened for reading
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, f := range r.File {
		target := filepath.Join(folder, filepath.Base(f.Name))
		info, err := os.Stat(target)
		if err == nil && uint64(info.Size()) == f.UncompressedSize64 { //nolint:gosec // no file has a negative size
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := unpack(f, target); err != nil {
			return err
		}
	}
	return nil
}

// maxProviderBytes bounds a file of a provider: that of AWS has 0.9 GB.
const maxProviderBytes uint64 = 4 << 30

// unpack writes one file to a temporary name, and renames it when it is complete.
func unpack(f *zip.File, target string) error {
	if f.UncompressedSize64 > maxProviderBytes {
		return fmt.Errorf("%s has %d bytes, at most %d are allowed", f.Name, f.UncompressedSize64, maxProviderBytes)
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // opened for reading
	out, err := os.CreateTemp(filepath.Dir(target), ".unpack-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }() // it no longer exists if it was renamed
	if _, err := io.CopyN(out, in, int64(f.UncompressedSize64)); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := errors.Join(out.Chmod(0o755), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), target)
}
