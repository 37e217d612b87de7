# Culvert in a container: one static binary, no shell, not root. The project folder is mounted at /project; state/ in it has to outlive the container.
#   docker build -t culvert --build-arg VERSION=$(git describe --tags --always) .
#   docker run -v "$PWD:/project" -p 8080:8080 --env-file secrets.env culvert
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS=linux TARGETARCH=amd64 TARGETVARIANT= VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /culvert ./cmd/culvert && mkdir /project

# Certificates and a user that is not root; time zones are in the binary.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /culvert /usr/bin/culvert
COPY --from=build --chown=65532:65532 /project /project
WORKDIR /project
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD ["/usr/bin/culvert", "health", "--ready"]
ENTRYPOINT ["/usr/bin/culvert"]
CMD ["run", "--log-format", "json"]
