// Runs the calls of Kubo's Go client that tests/clients compares: go run . /ip4/127.0.0.1/tcp/PORT
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/boxo/path"
	"github.com/ipfs/kubo/client/rpc"
	coreiface "github.com/ipfs/kubo/core/coreiface"
	"github.com/ipfs/kubo/core/coreiface/options"
	"github.com/multiformats/go-multiaddr"
)

// A CID that nobody has.
const absent = "/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"

type script struct {
	api *rpc.HttpApi
	ctx context.Context
}

// step runs one call, a use of Kubo's command, and writes its outcome as a line of JSON.
func step(command, call string, run func() (any, error)) {
	line := map[string]any{"command": command, "call": call}
	if result, err := run(); err != nil {
		line["error"] = err.Error()
	} else {
		line["ok"] = result
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func (s script) add(node files.Node, opts ...options.UnixfsAddOption) (string, error) {
	added, err := s.api.Unixfs().Add(s.ctx, node, opts...)
	if err != nil {
		return "", err
	}
	return added.String(), nil
}

func text(content string) files.Node { return files.NewBytesFile([]byte(content)) }

func mustPath(at string) path.Path {
	parsed, err := path.NewPath(at)
	if err != nil {
		panic(err)
	}
	return parsed
}

func (s script) adding() {
	tree := func() files.Node {
		return files.NewMapDirectory(map[string]files.Node{
			"a": text("go a"), "sub": files.NewMapDirectory(map[string]files.Node{"b": text("go b")}),
		})
	}
	cases := []struct {
		call string
		node files.Node
		opts []options.UnixfsAddOption
	}{
		{"a file", text("go file"), nil},
		{"a directory", tree(), nil},
		{"CIDv1 with raw leaves", text("go v1"), []options.UnixfsAddOption{options.Unixfs.CidVersion(1), options.Unixfs.RawLeaves(true)}},
		{"HashOnly", text("go hash"), []options.UnixfsAddOption{options.Unixfs.HashOnly(true)}},
		{"not pinned", text("go loose"), []options.UnixfsAddOption{options.Unixfs.Pin(false, "")}},
		{"pinned with a name", text("go named"), []options.UnixfsAddOption{options.Unixfs.Pin(true, "from go")}},
		{"Inline", text("go in"), []options.UnixfsAddOption{options.Unixfs.Inline(true), options.Unixfs.CidVersion(1)}},
		{"trickle, own chunker", text("go trickle"), []options.UnixfsAddOption{options.Unixfs.Layout(options.TrickleLayout), options.Unixfs.Chunker("size-3")}},
		{"an unknown chunker", text("x"), []options.UnixfsAddOption{options.Unixfs.Chunker("nonsense")}},
	}
	for _, c := range cases {
		step("add", c.call, func() (any, error) { return s.add(c.node, c.opts...) })
	}
	step("add", "progress events", func() (any, error) {
		events := make(chan any, 64)
		_, err := s.add(files.NewBytesFile(make([]byte, 600_000)),
			options.Unixfs.Progress(true), options.Unixfs.Events(events))
		close(events)
		var seen []string
		for event := range events {
			if added, ok := event.(*coreiface.AddEvent); ok {
				seen = append(seen, fmt.Sprintf("%s %d %s", added.Name, added.Bytes, added.Size))
			}
		}
		return seen, err
	})
}

// pins lists as "cid type name", sorted: Kubo streams them in any order.
func (s script) pins(opts ...options.PinLsOption) (any, error) {
	found := make(chan coreiface.Pin)
	failed := make(chan error, 1)
	go func() { failed <- s.api.Pin().Ls(s.ctx, found, opts...) }()
	lines := []string{}
	for pin := range found {
		lines = append(lines, fmt.Sprintf("%s %s %s", pin.Path(), pin.Type(), pin.Name()))
	}
	sort.Strings(lines)
	return lines, <-failed
}

func (s script) isPinned(at path.Path, opts ...options.PinIsPinnedOption) func() (any, error) {
	return func() (any, error) {
		how, pinned, err := s.api.Pin().IsPinned(s.ctx, at, opts...)
		return fmt.Sprintf("%v %s", pinned, how), err
	}
}

func (s script) pinning() {
	pins := s.api.Pin()
	nothing := func(err error) (any, error) { return nil, err }
	one := s.put("go pin one", false)
	two := s.put("go pin two", true)
	step("pin/ls", "IsPinned, no", s.isPinned(one))
	step("pin/add", "with a name", func() (any, error) { return nothing(pins.Add(s.ctx, one, options.Pin.Name("go name"))) })
	step("pin/ls", "IsPinned, yes", s.isPinned(one))
	step("pin/ls", "IsPinned, another type", s.isPinned(one, options.Pin.IsPinned.Direct()))
	step("pin/ls", "all with names", func() (any, error) { return s.pins(options.Pin.Ls.Detailed(true)) })
	step("pin/ls", "recursive", func() (any, error) { return s.pins(options.Pin.Ls.Recursive()) })
	step("pin/ls", "filter by name", func() (any, error) { return s.pins(options.Pin.Ls.Name("go n")) })
	step("pin/rm", "one", func() (any, error) { return nothing(pins.Rm(s.ctx, one)) })
	step("pin/rm", "not pinned", func() (any, error) { return nothing(pins.Rm(s.ctx, one)) })
	step("pin/add", "direct", func() (any, error) { return nothing(pins.Add(s.ctx, one, options.Pin.Recursive(false))) })
	step("pin/ls", "direct", func() (any, error) { return s.pins(options.Pin.Ls.Direct()) })
	step("pin/add", "direct over recursive", func() (any, error) { return nothing(pins.Add(s.ctx, two, options.Pin.Recursive(false))) })
	step("pin/update", "keeps the old one", func() (any, error) {
		return nothing(pins.Update(s.ctx, two, s.put("go next", false), options.Pin.Unpin(false)))
	})
	step("pin/update", "from a direct pin", func() (any, error) { return nothing(pins.Update(s.ctx, one, two)) })
	step("pin/verify", "all is well", func() (any, error) { return s.verify() })
	step("pin/add", "absent, the client gives up", func() (any, error) {
		short, cancel := context.WithTimeout(s.ctx, 700*time.Millisecond)
		defer cancel()
		err := pins.Add(short, mustPath(absent))
		return errors.Is(err, context.DeadlineExceeded), nil
	})
	step("pin/add", "no link of that name", func() (any, error) { return nothing(pins.Add(s.ctx, mustPath(two.String()+"/nope"))) })
}

// put stores a raw block and gives its path.
func (s script) put(content string, pin bool) path.Path {
	stat, err := s.api.Block().Put(s.ctx, bytes.NewReader([]byte(content)), options.Block.Pin(pin))
	if err != nil {
		panic(err)
	}
	return stat.Path()
}

func (s script) verify() (any, error) {
	results, err := s.api.Pin().Verify(s.ctx)
	if err != nil {
		return nil, err
	}
	bad := 0
	for result := range results {
		if !result.Ok() {
			bad++
		}
	}
	return bad, nil
}

func (s script) blocks() {
	step("block/put", "pinned, dag-pb", func() (any, error) {
		stat, err := s.api.Block().Put(s.ctx, bytes.NewReader([]byte{0x0a, 0x02, 0x08, 0x01}),
			options.Block.Pin(true), options.Block.CidCodec("dag-pb"))
		if err != nil {
			return nil, err
		}
		return []any{stat.Path().String(), stat.Size()}, nil
	})
	at := s.put("go block", true)
	step("pin/ls", "of a block", s.isPinned(at))
	step("block/get", "bytes", func() (any, error) {
		reader, err := s.api.Block().Get(s.ctx, at)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(reader)
		return string(content), err
	})
	step("block/rm", "a pinned block", func() (any, error) { return nil, s.api.Block().Rm(s.ctx, at) })
	step("cat", "through the file interface", func() (any, error) {
		added, err := s.api.Unixfs().Add(s.ctx, text("go reads"))
		if err != nil {
			return nil, err
		}
		node, err := s.api.Unixfs().Get(s.ctx, added)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(node.(files.File))
		return string(content), err
	})
}

// call makes a request that the client has no function for, and gives the keys of its answer.
func (s script) call(command string) {
	step(command, "keys of the answer", func() (any, error) {
		var answer map[string]any
		if err := s.api.Request(command).Exec(s.ctx, &answer); err != nil {
			return nil, err
		}
		keys := []string{}
		for key := range answer {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		return keys, nil
	})
}

func main() {
	address, err := multiaddr.NewMultiaddr(os.Args[1])
	if err != nil {
		panic(err)
	}
	api, err := rpc.NewApi(address)
	if err != nil {
		panic(err)
	}
	s := script{api: api, ctx: context.Background()}
	s.adding()
	s.pinning()
	s.blocks()
	for _, command := range []string{"repo/stat", "id", "version", "swarm/peers", "nonsense"} {
		s.call(command)
	}
}
