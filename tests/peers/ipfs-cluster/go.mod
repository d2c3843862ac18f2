// Pins the Go ipfs-cluster that is the oracle of the tests and the anchor of the benchmarks.
module composite/tests/peers/ipfs-cluster

go 1.26

require github.com/ipfs-cluster/ipfs-cluster v1.1.6
