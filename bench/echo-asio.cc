// SPDX-License-Identifier: MIT
//
// The echo server by Boost.Asio and the compiler's coroutines, on the listening socket that is descriptor 3.
#include <utility> // which this one forgets
#include <boost/asio.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;

static asio::awaitable<void> serve(tcp::socket socket)
{
    char buffer[1024];

    try {
        for (;;) {
            std::size_t count = co_await socket.async_read_some(asio::buffer(buffer), asio::use_awaitable);
            co_await asio::async_write(socket, asio::buffer(buffer, count), asio::use_awaitable);
        }
    } catch (const boost::system::system_error &) {
    }
}

static asio::awaitable<void> take(asio::io_context &context)
{
    tcp::acceptor acceptor(context, tcp::v4(), 3);

    for (;;)
        asio::co_spawn(context, serve(co_await acceptor.async_accept(asio::use_awaitable)), asio::detached);
}

int main()
{
    asio::io_context context(1);

    asio::co_spawn(context, take(context), asio::detached);
    context.run();
}
