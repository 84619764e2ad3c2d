// SPDX-License-Identifier: MIT
//
// Java's threads: what they say does not depend on who runs when.
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.*;

public class Threads {
    static int count;
    static boolean ready;
    static final Object lock = new Object();
    static final ThreadLocal<Integer> mine = ThreadLocal.withInitial(() -> 7);

    static void body(int id) {
        mine.set(mine.get() + id);
        for (int k = 0; k < 1000; k++)
            synchronized (lock) {
                count++;
            }
        synchronized (lock) {
            while (!ready)
                try {
                    lock.wait();
                } catch (InterruptedException interrupted) {
                    throw new RuntimeException(interrupted);
                }
            count += mine.get();
        }
    }

    public static void main(String[] arguments) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            int id = i;
            threads.add(new Thread(() -> body(id)));
        }
        for (Thread thread : threads)
            thread.start();
        Thread.sleep(10);
        synchronized (lock) {
            ready = true;
            lock.notifyAll();
        }
        for (Thread thread : threads)
            thread.join();
        System.out.println(count);

        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> futures = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            int number = i;
            futures.add(pool.submit(() -> number * number));
        }
        int sum = 0;
        for (Future<Integer> future : futures)
            sum += future.get();
        pool.shutdown();
        System.out.println(sum + " " + pool.awaitTermination(10, TimeUnit.SECONDS));

        Thread sleeper = new Thread(() -> {
            try {
                Thread.sleep(100000);
            } catch (InterruptedException interrupted) {
                System.out.println("interrupted");
            }
        });
        sleeper.start();
        sleeper.interrupt();
        sleeper.join();
        System.gc();
        BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(2);
        Thread producer = new Thread(() -> {
            for (int i = 0; i < 100; i++)
                try {
                    queue.put(i);
                } catch (InterruptedException interrupted) {
                    return;
                }
        });
        producer.start();
        sum = 0;
        for (int i = 0; i < 100; i++)
            sum += queue.take();
        System.out.println(sum);
    }
}
