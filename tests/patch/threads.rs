// SPDX-License-Identifier: MIT
//
// Rust's threads: what they say does not depend on who runs when.
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread;
use std::time::Duration;

static DROPPED: AtomicUsize = AtomicUsize::new(0);
static ONCE: Once = Once::new();

struct Counted(usize);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(self.0, Ordering::SeqCst);
    }
}

thread_local! {
    static NUMBER: Cell<usize> = Cell::new(7);
    static TEXT: RefCell<String> = RefCell::new(String::from("new"));
    static COUNTED: RefCell<Counted> = RefCell::new(Counted(0));
}

fn share(i: usize, count: &Mutex<usize>, written: &RwLock<usize>, barrier: &Barrier) -> usize {
    NUMBER.with(|number| assert_eq!(number.replace(i), 7));
    TEXT.with(|text| assert_eq!(text.replace(format!("of {}", i)), "new"));
    COUNTED.with(|counted| counted.borrow_mut().0 = i);
    barrier.wait();
    ONCE.call_once(|| thread::sleep(Duration::from_millis(1)));
    for k in 0..50 {
        *count.lock().unwrap() += 1;
        *written.write().unwrap() += 1;
        if k % 10 == 0 {
            thread::yield_now();
        }
    }
    thread::sleep(Duration::from_millis(1));
    TEXT.with(|text| assert_eq!(*text.borrow(), format!("of {}", i)));
    assert_eq!(thread::current().name(), Some(&*format!("thread-{}", i)));
    NUMBER.with(|number| number.get())
}

fn main() {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::new((Mutex::new(0), RwLock::new(0), Barrier::new(16)));
    let threads: Vec<_> = (0..16)
        .map(|i| {
            let (sender, shared) = (sender.clone(), shared.clone());
            let body = move || sender.send(share(i, &shared.0, &shared.1, &shared.2)).unwrap();
            thread::Builder::new().name(format!("thread-{}", i)).spawn(body).unwrap()
        })
        .collect();
    drop(sender);
    let mut got: Vec<usize> = receiver.iter().collect();
    got.sort();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{:?} {} {} dropped {}", got, shared.0.lock().unwrap(), shared.1.read().unwrap(), DROPPED.load(Ordering::SeqCst));

    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    let waiter = thread::spawn(move || {
        let mut set = other.0.lock().unwrap();
        while !*set {
            set = other.1.wait(set).unwrap();
        }
        "woken"
    });
    *pair.0.lock().unwrap() = true;
    pair.1.notify_all();
    println!("{}", waiter.join().unwrap());
    let parked = thread::spawn(|| {
        thread::park();
        "unparked"
    });
    parked.thread().unpark();
    println!("{}", parked.join().unwrap());

    let (sender, receiver) = mpsc::sync_channel::<usize>(2);
    let producer = thread::spawn(move || (0..100).for_each(|i| sender.send(i).unwrap()));
    println!("{}", receiver.iter().sum::<usize>());
    producer.join().unwrap();
    println!("{:?}", mpsc::channel::<()>().1.recv_timeout(Duration::from_millis(1)).is_err());

    std::panic::set_hook(Box::new(|_| {}));
    let panics = thread::spawn(|| {
        COUNTED.with(|counted| counted.borrow_mut().0 = 1000);
        panic!("on purpose")
    });
    println!("{} dropped {}", panics.join().is_err(), DROPPED.load(Ordering::SeqCst));
    let mut words = vec!["scoped"];
    thread::scope(|scope| {
        scope.spawn(|| words.push("thread"));
    });
    println!("{:?}", words);
}
