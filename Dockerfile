# The server: a static binary and nothing else.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /heddle ./cmd/heddle

FROM scratch AS server
COPY --from=build /heddle /heddle
VOLUME /var/lib/heddle
EXPOSE 9696 6653 6640
ENTRYPOINT ["/heddle"]
CMD ["server", "--data-dir", "/var/lib/heddle"]
