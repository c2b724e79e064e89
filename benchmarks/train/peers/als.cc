// The peers in C++: iALS with Eigen, by Cholesky and by the exact dual. als FILE DIM EPOCHS THREADS cholesky|dual|peak
#include <Eigen/Dense>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
using Eigen::MatrixXf; using Eigen::VectorXf;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
struct Sparse { std::vector<size_t> start; std::vector<int> col; };
static const float alpha0 = 0.1f, lambda = 0.01f;  // nu = 1

static double cpu() { timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
template <class F> static void parallel(int threads, F f) {
  std::vector<std::thread> all;
  for (int t = 0; t < threads; t++) all.emplace_back(f, t);
  for (auto& t : all) t.join();
}
static MatrixXf gram(const Rows& y, int threads) {
  std::vector<MatrixXf> part(threads, MatrixXf::Zero(y.cols(), y.cols()));
  parallel(threads, [&](int t) {
    long lo = y.rows() * t / threads, hi = y.rows() * (t + 1) / threads;
    part[t].selfadjointView<Eigen::Lower>().rankUpdate(y.middleRows(lo, hi - lo).transpose());
  });
  for (int t = 1; t < threads; t++) part[0] += part[t];
  return part[0].selfadjointView<Eigen::Lower>();
}
static void halfStep(const Sparse& m, const Rows& y, Rows& x, int threads, bool dual) {
  const long d = y.cols(), n = y.rows(), rows = x.rows();
  MatrixXf g = alpha0 * gram(y, threads), q;
  VectorXf values;
  Rows turned;
  if (dual) {
    Eigen::SelfAdjointEigenSolver<MatrixXf> es(g);
    values = es.eigenvalues().cwiseMax(0.f), q = es.eigenvectors();
    turned.resize(n, d);
    parallel(threads, [&](int t) {
      long lo = n * t / threads, hi = n * (t + 1) / threads;
      turned.middleRows(lo, hi - lo).noalias() = y.middleRows(lo, hi - lo) * q;
    });
  }
  std::atomic<long> next(0);
  parallel(threads, [&](int) {
    Rows b;
    MatrixXf a(d, d), kk;
    VectorXf rhs(d), w(d), o;
    for (long s; (s = next.fetch_add(64)) < rows;)
      for (long r = s; r < std::min(rows, s + 64); r++) {
        const long k = m.start[r + 1] - m.start[r];
        const int* col = &m.col[m.start[r]];
        const float ridge = lambda * (k + alpha0 * n);
        if (k == 0) { x.row(r).setZero(); continue; }
        if (b.rows() < k) b.resize(2 * k, d);
        if (dual && k < 0.6 * d) {  // x = D^-½ B' (I + B B')⁻¹ 1, B = rows · D^-½ in the eigenbasis
          w = (values.array() + ridge).rsqrt().matrix();
          for (long j = 0; j < k; j++) b.row(j) = turned.row(col[j]).cwiseProduct(w.transpose());
          kk.setIdentity(k, k);
          kk.selfadjointView<Eigen::Lower>().rankUpdate(b.topRows(k));
          o.setOnes(k);
          Eigen::LLT<Eigen::Ref<MatrixXf>, Eigen::Lower>(kk).solveInPlace(o);
          rhs = (b.topRows(k).transpose() * o).cwiseProduct(w);
          x.row(r).transpose().noalias() = q * rhs;
          continue;
        }
        rhs.setZero();
        for (long j = 0; j < k; j++) { b.row(j) = y.row(col[j]); rhs += b.row(j).transpose(); }
        a = g;
        a.selfadjointView<Eigen::Lower>().rankUpdate(b.topRows(k).transpose());
        a.diagonal().array() += ridge;
        Eigen::LLT<Eigen::Ref<MatrixXf>, Eigen::Lower>(a).solveInPlace(rhs);
        x.row(r) = rhs.transpose();
      }
  });
}
static double loss(const Sparse& m, const Sparse& t, const Rows& u, const Rows& v) {
  double sum = alpha0 * double((gram(u, 1).array() * gram(v, 1).array()).sum());
  for (long r = 0; r < u.rows(); r++) {
    for (size_t j = m.start[r]; j < m.start[r + 1]; j++) sum += std::pow(u.row(r).dot(v.row(m.col[j])) - 1, 2);
    sum += lambda * (double(m.start[r + 1] - m.start[r]) + alpha0 * v.rows()) * u.row(r).squaredNorm();
  }
  for (long r = 0; r < v.rows(); r++) sum += lambda * (double(t.start[r + 1] - t.start[r]) + alpha0 * u.rows()) * v.row(r).squaredNorm();
  return sum;
}
// One core's fused multiply-adds from registers, the widest there are: what no solver can exceed.
static double peak() {
#ifdef __AVX512F__
  typedef float V __attribute__((vector_size(64)));
#else
  typedef float V __attribute__((vector_size(32)));
#endif
  const long width = sizeof(V) / 4, reps = 3000000;
  double best = 0;
  for (int round = 0; round < 8; round++) {
    V a0{}, a1{}, a2{}, a3{}, a4{}, a5{}, a6{}, a7{}, a8{}, a9{}, f = V{} + 0.999f, c = V{} + 1e-3f;
    double t = cpu();
    for (long i = 0; i < reps; i++) {
      a0 = a0 * f + c; a1 = a1 * f + c; a2 = a2 * f + c; a3 = a3 * f + c; a4 = a4 * f + c;
      a5 = a5 * f + c; a6 = a6 * f + c; a7 = a7 * f + c; a8 = a8 * f + c; a9 = a9 * f + c;
      asm volatile("" : "+x"(a0), "+x"(a1), "+x"(a2), "+x"(a3), "+x"(a4), "+x"(a5), "+x"(a6), "+x"(a7), "+x"(a8), "+x"(a9));
    }
    best = std::max(best, 20.0 * width * reps / (cpu() - t) / 1e9);
  }
  return best;
}
static void print(const char* name, const std::vector<double>& v) {
  printf("\"%s\":[", name);
  for (size_t i = 0; i < v.size(); i++) printf("%s%.6f", i ? "," : "", v[i]);
  printf("],");
}
int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "peak") { printf("{\"gflops\":%.1f}\n", peak()); return 0; }
  if (argc != 6) { fprintf(stderr, "usage: als FILE DIM EPOCHS THREADS cholesky|dual, als peak\n"); return 2; }
  Eigen::setNbThreads(1);
  const int d = atoi(argv[2]), epochs = atoi(argv[3]), threads = atoi(argv[4]);
  const bool dual = std::string(argv[5]) == "dual";
  Sparse m, t;
  m.start.push_back(0);
  int items = 0;
  std::ifstream in(argv[1]);
  for (std::string line; std::getline(in, line);) {
    std::istringstream s(line);
    int i;
    s >> i;
    while (s >> i) { m.col.push_back(i); items = std::max(items, i + 1); }
    m.start.push_back(m.col.size());
  }
  const long users = m.start.size() - 1;
  t.start.assign(items + 1, 0), t.col.resize(m.col.size());
  for (int i : m.col) t.start[i + 1]++;
  for (int i = 0; i < items; i++) t.start[i + 1] += t.start[i];
  auto at = t.start;
  for (long u = 0; u < users; u++)
    for (size_t j = m.start[u]; j < m.start[u + 1]; j++) t.col[at[m.col[j]]++] = u;
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 0.1f / std::sqrt(float(d)));
  Rows u = Rows::Zero(users, d), v(items, d);
  for (long i = 0; i < v.size(); i++) v.data()[i] = normal(rng);
  std::vector<double> ws, cs;
  for (int e = 0; e < epochs; e++) {
    double w = wall(), c = cpu();
    halfStep(m, v, u, threads, dual);
    halfStep(t, u, v, threads, dual);
    ws.push_back(wall() - w), cs.push_back(cpu() - c);
  }
  printf("{"), print("wall_seconds", ws), print("cpu_seconds", cs), printf("\"loss\":%.3f}\n", loss(m, t, u, v));
}
