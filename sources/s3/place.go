package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

// tries is how often a request is sent; the next look tries again anyway.
const tries = 3

// place is what lies below the folder of a rule.
type place struct {
	client    *minio.Client
	transport *http.Transport
	host      string
	bucket    string
	prefix    string // ends with a slash, or is empty
}

func dial(_ context.Context, c sources.Connection, r *remote.Rule, _ *slog.Logger) (remote.Place, error) {
	p, err := connect(c)
	if err != nil {
		return nil, err
	}
	p.prefix = prefixOf(r.Folder)
	return p, nil
}

// prefixOf is what the keys of a folder begin with.
func prefixOf(folder string) string {
	if folder = strings.Trim(folder, "/"); folder == "" {
		return ""
	}
	return folder + "/"
}

func connect(c sources.Connection) (*place, error) {
	text := c.URL
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the address is none of an object store: write it as https://host")
	case strings.Trim(u.Path, "/") != "":
		return nil, errors.New("the address holds a path: write the bucket as bucket:, and the folder in the rule")
	case u.User != nil:
		return nil, errors.New("the address holds a user: write access_key: and secret_key: beside it")
	}
	p := &place{host: u.Hostname(), bucket: c.Own["bucket"]}
	if p.transport, err = transport(c); err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupPath
	switch style := c.Own["path_style"]; {
	case style == "false":
		lookup = minio.BucketLookupDNS
	case style == "" && (strings.HasSuffix(p.host, ".amazonaws.com") || strings.HasSuffix(p.host, ".googleapis.com")):
		lookup = minio.BucketLookupAuto
	}
	p.client, err = minio.New(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(c.Own["access_key"], c.Own["secret_key"], c.Own["session_token"]),
		Secure: u.Scheme == "https", Transport: p.transport, Region: c.Own["region"], BucketLookup: lookup, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("use the object store %s: %w", p.host, err)
	}
	p.client.SetAppInfo("culvert", "1")
	return p, nil
}

func transport(c sources.Connection) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 1 << 20, ForceAttemptHTTP2: true, DisableCompression: true,
	}
	pool, err := remote.Authorities(c)
	if err != nil || pool == nil {
		return t, err
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// Close ends its connections.
func (p *place) Close() error {
	p.transport.CloseIdleConnections()
	return nil
}

// maxListed bounds the files of one folder.
const maxListed = 200_000

// List gives the files right below the folder.
func (p *place) List(ctx context.Context) ([]remote.Item, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var items []remote.Item
	listed := 0 // folders too
	for o := range p.client.ListObjectsIter(ctx, p.bucket, minio.ListObjectsOptions{Prefix: p.prefix}) {
		listed++
		switch name := strings.TrimPrefix(o.Key, p.prefix); {
		case o.Err != nil:
			return nil, p.problem("look into "+p.bucket+"/"+p.prefix, o.Err)
		case listed > maxListed:
			return nil, fmt.Errorf("%s/%s holds more than %d files: give the rule another folder, or after: move",
				p.bucket, p.prefix, maxListed)
		case name == "" || strings.HasSuffix(name, "/"):
		default:
			items = append(items, remote.Item{Path: o.Key, Name: name, Size: o.Size, Written: o.LastModified, Whole: true,
				Version: strings.Trim(o.ETag, `"`) + "-" + strconv.FormatInt(o.Size, 10) + "-" +
					strconv.FormatInt(o.LastModified.UnixMilli(), 10)})
		}
	}
	return items, nil
}

// etagOf gives the tag of the content that was listed.
func etagOf(item remote.Item) string {
	parts := strings.Split(item.Version, "-")
	return strings.Join(parts[:len(parts)-2], "-")
}

// Open reads a file from an offset.
func (p *place) Open(ctx context.Context, item remote.Item, offset int64) (io.ReadCloser, error) {
	var o minio.GetObjectOptions
	if err := o.SetMatchETag(etagOf(item)); err != nil {
		return nil, fmt.Errorf("ask for %s: %w", item.Name, err)
	}
	if offset > 0 {
		if err := o.SetRange(offset, 0); err != nil {
			return nil, fmt.Errorf("ask for %s: %w", item.Name, err)
		}
	}
	body, info, _, err := (minio.Core{Client: p.client}).GetObject(ctx, p.bucket, item.Path, o)
	if err == nil {
		if info.Size != item.Size-offset { // a store that does not know ranges would send all of it
			return nil, errors.Join(remote.ErrChanged, body.Close())
		}
		return body, nil
	}
	switch minio.ToErrorResponse(err).Code {
	case minio.PreconditionFailed, minio.NoSuchKey:
		return nil, remote.ErrChanged
	case minio.AccessDenied, "InvalidObjectState":
		return nil, &remote.FileError{Err: p.problem("fetch it", err)}
	}
	return nil, p.problem("fetch "+item.Name, err)
}

// Put writes a file.
func (p *place) Put(ctx context.Context, folder, name string, content io.ReadSeeker, size int64) error {
	_, err := p.client.PutObject(ctx, p.bucket, prefixOf(folder)+name, content, size,
		minio.PutObjectOptions{ContentType: "application/octet-stream"})
	return p.problem("write "+name, err)
}

// Move copies a file into a folder, under a name that is free there, and removes it.
func (p *place) Move(ctx context.Context, item remote.Item, folder string) error {
	ext := path.Ext(item.Name)
	stem := strings.TrimSuffix(item.Name, ext)
	name := item.Name
	for n := 2; ; n++ {
		found, err := p.client.StatObject(ctx, p.bucket, prefixOf(folder)+name, minio.StatObjectOptions{})
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			break
		}
		if err != nil {
			return p.problem("look into "+folder, err)
		}
		if strings.Trim(found.ETag, `"`) == etagOf(item) {
			return p.Delete(ctx, item) // copied before a crash
		}
		name = stem + "-" + strconv.Itoa(n) + ext
	}
	_, err := p.client.CopyObject(ctx, minio.CopyDestOptions{Bucket: p.bucket, Object: prefixOf(folder) + name},
		minio.CopySrcOptions{Bucket: p.bucket, Object: item.Path, MatchETag: etagOf(item)})
	switch minio.ToErrorResponse(err).Code {
	case minio.NoSuchKey, minio.PreconditionFailed:
		return nil // gone, or another file by now
	}
	if err != nil {
		return p.problem("move "+item.Name, err)
	}
	return p.Delete(ctx, item)
}

// Delete removes a file, unless another one lies there by now.
func (p *place) Delete(ctx context.Context, item remote.Item) error {
	there, err := p.isStill(ctx, item)
	if err != nil || !there {
		return err
	}
	return p.problem("delete "+item.Name, p.client.RemoveObject(ctx, p.bucket, item.Path, minio.RemoveObjectOptions{}))
}

// Tag marks a file.
func (p *place) Tag(ctx context.Context, item remote.Item, value string) error {
	there, err := p.isStill(ctx, item)
	if err != nil || !there {
		return err
	}
	now, err := p.client.GetObjectTagging(ctx, p.bucket, item.Path, minio.GetObjectTaggingOptions{})
	if err != nil && minio.ToErrorResponse(err).Code != "NoSuchTagSet" {
		return p.problem("read the tags of "+item.Name, err)
	}
	all := map[string]string{}
	if err == nil {
		all = now.ToMap()
	}
	all["culvert"] = value
	set, err := tags.NewTags(all, true)
	if err != nil {
		return fmt.Errorf("tag %s: %w", item.Name, err)
	}
	return p.problem("tag "+item.Name, p.client.PutObjectTagging(ctx, p.bucket, item.Path, set,
		minio.PutObjectTaggingOptions{}))
}

// isStill tells whether a file lies there as it was listed: what replaced it is another one.
func (p *place) isStill(ctx context.Context, item remote.Item) (bool, error) {
	now, err := p.client.StatObject(ctx, p.bucket, item.Path, minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return false, nil
	}
	if err != nil {
		return false, p.problem("look at "+item.Name, err)
	}
	return strings.Trim(now.ETag, `"`) == etagOf(item), nil
}

// problem says in words what a store answers, nil for nothing. What it says of keys stays out of logs.
func (p *place) problem(doing string, err error) error {
	if err == nil {
		return nil
	}
	response, answered := errors.AsType[minio.ErrorResponse](err)
	if !answered || response.Code == "" {
		return fmt.Errorf("%s on %s: %w", doing, p.host, err)
	}
	say := ""
	switch response.Code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken":
		say = "it does not accept the key: check access_key and secret_key"
	case minio.AccessDenied:
		say = "it does not allow this to the key: give it the right over there"
	case minio.NoSuchBucket:
		say = "there is no bucket " + p.bucket + ": correct bucket of the connection"
	case "RequestTimeTooSkewed":
		say = "the clock of this machine is wrong: set it"
	case "AuthorizationHeaderMalformed", "PermanentRedirect":
		say = "the bucket is in another region: write region of the connection"
	default:
		say = fmt.Sprintf("it answered %d %s", response.StatusCode, response.Code)
	}
	return fmt.Errorf("%s on %s: %s", doing, p.host, say)
}
