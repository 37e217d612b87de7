// Package s3 takes files from buckets of object stores that speak as Amazon S3 does.
package s3

import (
	"context"
	"log/slog"

	"github.com/minio/minio-go/v7"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

// kind is the trigger that takes files from buckets.
type kind struct{ remote.Kind }

// Kind makes the trigger that takes files from buckets.
func Kind() sources.Connected {
	return kind{remote.Kind{
		Word: "s3",
		Doc: "Records are the rows of files in a bucket of Amazon S3, MinIO and their like: CSV, xlsx, JSON, or a zip or " +
			"gzip of " +
			"them.",
		Example: "s3: {connection: exports, folder: incoming}",
		Folder: settings.Field{Name: "folder", LeftOut: "the top of the bucket",
			Doc: "what the keys begin with, such as incoming/anc. Folders below it are not looked into"},
		After: []string{remote.Leave, remote.Tag, remote.Move, remote.Delete}, Dial: dial,
	}}
}

// Connection is a bucket.
func (kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: "s3", Doc: "address of an object store, without the bucket", Example: "https://s3.eu-west-1.amazonaws.com",
		Keys: []settings.Field{
			{Name: "bucket", LeftOut: "needed", Doc: "name of the bucket"},
			{Name: "region", LeftOut: "found out", Doc: "region of the bucket, such as eu-west-1"},
			{Name: "access_key", LeftOut: "needed", Doc: "id of the access key"},
			{Name: "secret_key", Type: settings.Secret, LeftOut: "needed",
				Doc: "the access key's secret, as ${NAME} or {file: path}"},
			{Name: "session_token", Type: settings.Secret, LeftOut: "none",
				Doc: "of a key that holds for a time, as ${NAME} or {file: path}"},
			{Name: "path_style", Type: settings.Switch, LeftOut: "true but for Amazon's and Google's own",
				Doc: "whether the bucket stands in the path of addresses, not in front of the host"},
			{Name: "ca_file", LeftOut: "those of the machine",
				Doc: "certificates of the authority that signed the server's, in the project or with its whole path"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			switch {
			case !has("bucket"):
				return "does not say which bucket", "add bucket: NAME"
			case !has("access_key") || !has("secret_key"):
				return "cannot log in", "add access_key: ${NAME} and secret_key: ${NAME}"
			}
			return "", ""
		},
	}
}

// Ping asks for one file of the bucket.
func (kind) Ping(ctx context.Context, c sources.Connection, _ *slog.Logger) error {
	p, err := connect(c)
	if err != nil {
		return err
	}
	for o := range p.client.ListObjectsIter(ctx, p.bucket, minio.ListObjectsOptions{MaxKeys: 1}) {
		return p.problem("look into the bucket", o.Err)
	}
	return nil
}
