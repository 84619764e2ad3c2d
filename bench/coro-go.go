// SPDX-License-Identifier: MIT
//
// What bench/coro.c measures of a hub, with goroutines on one processor.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	rounds = 1000
	pairs  = 5000
)

func measure(metric string, run func(), divisor, rounds int) {
	best := 1e18
	for i := 0; i < rounds; i++ {
		start := time.Now()
		run()
		each := float64(time.Since(start).Nanoseconds()) / float64(divisor)
		if each < best {
			best = each
		}
	}
	fmt.Printf("%s ns %.3f\n", metric, best)
}

func both(one, other func()) {
	var group sync.WaitGroup
	group.Add(2)
	go func() { one(); group.Done() }()
	go func() { other(); group.Done() }()
	group.Wait()
}

func yieldOften() {
	for i := 0; i < pairs; i++ {
		runtime.Gosched()
	}
}

func spawns() {
	var group sync.WaitGroup
	for i := 0; i < pairs/10; i++ {
		group.Add(1)
		go group.Done()
		group.Wait()
	}
}

func crowds() {
	var group sync.WaitGroup
	for i := 0; i < pairs/10; i += 100 {
		group.Add(100)
		for j := 0; j < 100; j++ {
			go group.Done()
		}
		group.Wait()
	}
}

func handOvers() {
	channel := make(chan int)
	both(func() {
		for i := 0; i < pairs; i++ {
			channel <- i
		}
	}, func() {
		for i := 0; i < pairs; i++ {
			if <-channel != i {
				panic("order")
			}
		}
	})
}

func locks() {
	var lock sync.Mutex
	often := func() {
		for i := 0; i < pairs/10; i++ {
			lock.Lock()
			runtime.Gosched()
			lock.Unlock()
			runtime.Gosched()
		}
	}
	both(often, often)
}

func turns() {
	for i := 0; i < 100; i++ {
		time.Sleep(1)
	}
}

func withCrowd(metric string, count int) {
	var group sync.WaitGroup
	over := make(chan struct{})
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() { <-over; group.Done() }()
	}
	time.Sleep(1)
	measure(metric, turns, 100, 50)
	close(over)
	group.Wait()
}

func main() {
	runtime.GOMAXPROCS(1)
	measure("yield", func() { both(yieldOften, yieldOften) }, 2*pairs, rounds)
	measure("spawn-join", spawns, pairs/10, rounds)
	measure("spawn-100", crowds, pairs/10, rounds)
	measure("channel", handOvers, pairs, rounds)
	measure("lock", locks, pairs/5, rounds)
	withCrowd("turn-1000", 1000)
	withCrowd("turn-10000", 10000)
	withCrowd("turn-100000", 100000)
	withCrowd("turn-1000000", 1000000)
}
