// Pins the Kubo that the tests, the demo and the benchmarks run against.
module composite/tests/peers/kubo

go 1.26.4

require github.com/ipfs/kubo v0.42.0
