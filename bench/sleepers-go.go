// SPDX-License-Identifier: MIT
//
// As sleepers.c, in Go.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

func status(field string) float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), field) {
			var value float64
			fmt.Sscan(lines.Text()[len(field):], &value)
			return value
		}
	}
	return 0
}

func main() {
	count, name := 100000, "100k"
	if len(os.Args) > 1 && os.Args[1] == "1m" {
		count, name = 1000000, "1m"
	}
	before := status("VmRSS:")
	start := time.Now()
	var all sync.WaitGroup
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			time.Sleep(time.Second)
			all.Done()
		}()
	}
	all.Wait()
	fmt.Printf("time-%s s %.3f\n", name, time.Since(start).Seconds())
	fmt.Printf("memory-%s bytes %.0f\n", name, (status("VmHWM:")-before)*1024/float64(count))
}
