// A small shop with three clerks, to try the debugger on: threads, a queue, a map, structures and some arithmetic.
// Prints a line an order, ends after about a second, and exits with the number of orders that could not be filled.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct Order {
  int number;
  std::string item;
  int quantity;
  long cents;  // a piece
};

struct Shop {
  std::mutex lock;
  std::condition_variable work;
  std::deque<Order> waiting;
  std::map<std::string, int> stock{{"anvil", 3}, {"bellows", 5}, {"tongs", 40}};
  bool closed = false;
  int refused = 0;
};

long price_of(const Order& order) {
  long total = order.quantity * order.cents;
  if (order.quantity >= 10) total -= total / 10;  // a tenth off
  return total;
}

bool fill(Shop& shop, const Order& order) {
  int& left = shop.stock[order.item];
  if (left < order.quantity) {
    ++shop.refused;
    std::printf("order %d: only %d %s left\n", order.number, left, order.item.c_str());
    return false;
  }
  left -= order.quantity;
  const long total = price_of(order);
  std::printf("order %d: %d %s for %ld.%02ld\n", order.number, order.quantity, order.item.c_str(), total / 100,
              total % 100);
  return true;
}

void serve(Shop& shop) {
  for (;;) {
    std::unique_lock held(shop.lock);
    shop.work.wait(held, [&] { return !shop.waiting.empty() || shop.closed; });
    if (shop.waiting.empty()) return;
    const Order order = shop.waiting.front();
    shop.waiting.pop_front();
    fill(shop, order);
  }
}

int main() {
  Shop shop;
  std::vector<std::thread> clerks;
  for (int i = 0; i < 3; ++i) clerks.emplace_back(serve, std::ref(shop));

  const std::vector<Order> orders = {{1, "anvil", 1, 12900}, {2, "tongs", 12, 850},   {3, "bellows", 2, 4250},
                                     {4, "anvil", 3, 12900}, {5, "bellows", 3, 4250}, {6, "tongs", 20, 850}};
  for (const auto& order : orders) {
    {
      std::lock_guard held(shop.lock);
      shop.waiting.push_back(order);
    }
    shop.work.notify_one();
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
  }
  {
    std::lock_guard held(shop.lock);
    shop.closed = true;
  }
  shop.work.notify_all();
  for (auto& clerk : clerks) clerk.join();
  std::printf("%d refused\n", shop.refused);
  return shop.refused;
}
