// SPDX-License-Identifier: MIT
//
// Go's threads, and C's within: what they say does not depend on who runs when.
package main

/*
#include <pthread.h>
#include <unistd.h>

static __thread int mine = 3;

static void *body(void *arg)
{
    mine += 5;
    usleep(500);
    return (void *)(long)mine;
}

static long in_c(void)
{
    pthread_t threads[4];
    void *value;
    long sum = 0;

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], 0, body, 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &value);
        sum += (long)value;
    }
    return sum;
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	var all sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			here := int(C.in_c())
			C.usleep(500)
			time.Sleep(time.Millisecond)
			lock.Lock()
			sum += here
			lock.Unlock()
		}()
	}
	all.Wait()
	runtime.GC()
	fmt.Println(sum)
	items := make(chan int, 2)
	go func() {
		for i := 0; i < 100; i++ {
			items <- i
		}
		close(items)
	}()
	for item := range items {
		sum += item
	}
	fmt.Println(sum)
}
