// Runs all tests of this directory; the last line is what scripts read.
#include <cstdio>

#include <gtest/gtest.h>

int main(int argc, char **argv) {
    ::testing::GTEST_FLAG(brief) = true;
    ::testing::InitGoogleTest(&argc, argv);
    const int status = RUN_ALL_TESTS();
    const auto &unit = *::testing::UnitTest::GetInstance();
    std::printf("server unit: %d passed, %d failed\n", unit.successful_test_count(),
                unit.failed_test_count());
    return unit.successful_test_count() > 0 ? status : 1;
}
