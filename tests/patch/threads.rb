# SPDX-License-Identifier: MIT
#
# ruby's threads: what they say does not depend on who runs when.
require 'monitor'
require 'timeout'

queue = Queue.new
mutex = Mutex.new
count = 0
threads = 20.times.map do |i|
  Thread.new do
    Thread.current[:mine] = i
    10.times do
      mutex.synchronize { count += 1 }
      Thread.pass
    end
    sleep 0.002
    queue << i
    Thread.current[:mine]
  end
end
p threads.map(&:value), count, 20.times.map { queue.pop }.sort

condition = ConditionVariable.new
ready = false
waiter = Thread.new { mutex.synchronize { condition.wait(mutex) until ready }; :woken }
sleep 0.002
mutex.synchronize { ready = true; condition.signal }
p waiter.value

sleeper = Thread.new { sleep }
sleep 0.002
sleeper.kill
p sleeper.join.equal?(sleeper)
raised = Thread.new { begin; sleep; rescue => error; error.message; end }
Thread.pass until raised.stop?
raised.raise 'from outside'
p raised.value
failing = Thread.new { Thread.current.report_on_exception = false; raise 'from inside' }
begin
  failing.join
rescue => error
  p error.message
end
p((Timeout.timeout(0.01) { sleep } rescue :late))

reader, writer = IO.pipe
reading = Thread.new { reader.read }
writer << 'text' * 30_000
writer.close
p reading.value.size
p Thread.new { `echo a child`.chomp }.value
bounded = SizedQueue.new(2)
producer = Thread.new { 50.times { |i| bounded << i }; bounded << nil }
sum = 0
while (item = bounded.pop)
  sum += item
end
producer.join
p sum, Thread.new { Array.new(20_000) { |i| i.to_s }.tap { GC.start }.last }.value
fiber = Thread.new { Fiber.new { |x| y = Fiber.yield(x + 1); y * 2 }.then { |f| [f.resume(1), f.resume(5)] } }
p fiber.value
