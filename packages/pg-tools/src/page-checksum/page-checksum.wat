;; Checksums of PostgreSQL's pages (checksum_impl.h): FNV-1a with a shift, in 32 columns of 32-bit words, four columns to a
;; vector. `wasm-module.ts` beside this file holds the module made of it; `wasm-module.test.ts` compiles it again and compares.
(module
  (memory (export "memory") 1)

  ;; One step of a column: (hash ^ word) * prime ^ ((hash ^ word) >> 17).
  (func $mix (param $hash v128) (param $word v128) (result v128)
    (local.set $hash (v128.xor (local.get $hash) (local.get $word)))
    (v128.xor
      (i32x4.mul (local.get $hash) (v128.const i32x4 16777619 16777619 16777619 16777619))
      (i32x4.shr_u (local.get $hash) (i32.const 17))))

  ;; Two rounds of zeros spread the last words over all bits.
  (func $finish (param $hash v128) (result v128)
    (call $mix
      (call $mix (local.get $hash) (v128.const i32x4 0 0 0 0))
      (v128.const i32x4 0 0 0 0)))

  ;; The checksum that the page at this address must carry as this block of its fork.
  (func $checksum (export "checksum") (param $page i32) (param $size i32) (param $block i32) (result i32)
    (local $at i32) (local $end i32) (local $found i32)
    (local $h0 v128) (local $h1 v128) (local $h2 v128) (local $h3 v128) (local $h4 v128) (local $h5 v128) (local $h6 v128) (local $h7 v128)
    ;; The field counts as zero in its own checksum.
    (local.set $found (i32.load16_u offset=8 (local.get $page)))
    (i32.store16 offset=8 (local.get $page) (i32.const 0))
    (local.set $h0 (v128.const i32x4 0x5b1f36e9 0xb8525960 0x02ab50aa 0x1de66d2a))
    (local.set $h1 (v128.const i32x4 0x79ff467a 0x9bb9f8a3 0x217e7cd2 0x83e13d2c))
    (local.set $h2 (v128.const i32x4 0xf8d4474f 0xe39eb970 0x42c6ae16 0x993216fa))
    (local.set $h3 (v128.const i32x4 0x7b093b5d 0x98daff3c 0xf718902a 0x0b1c9cdb))
    (local.set $h4 (v128.const i32x4 0xe58f764b 0x187636bc 0x5d7b3bb1 0xe73de7de))
    (local.set $h5 (v128.const i32x4 0x92bec979 0xcca6c0b2 0x304a0979 0x85aa43d4))
    (local.set $h6 (v128.const i32x4 0x783125bb 0x6ca8eaa2 0xe407eac6 0x4b5cfc3e))
    (local.set $h7 (v128.const i32x4 0x9fbf8c76 0x15ca20be 0xf2ca9fd3 0x959bd756))
    (local.set $at (local.get $page))
    (local.set $end (i32.add (local.get $page) (local.get $size)))
    (loop $rows
      (local.set $h0 (call $mix (local.get $h0) (v128.load offset=0 (local.get $at))))
      (local.set $h1 (call $mix (local.get $h1) (v128.load offset=16 (local.get $at))))
      (local.set $h2 (call $mix (local.get $h2) (v128.load offset=32 (local.get $at))))
      (local.set $h3 (call $mix (local.get $h3) (v128.load offset=48 (local.get $at))))
      (local.set $h4 (call $mix (local.get $h4) (v128.load offset=64 (local.get $at))))
      (local.set $h5 (call $mix (local.get $h5) (v128.load offset=80 (local.get $at))))
      (local.set $h6 (call $mix (local.get $h6) (v128.load offset=96 (local.get $at))))
      (local.set $h7 (call $mix (local.get $h7) (v128.load offset=112 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 128)))
      (br_if $rows (i32.lt_u (local.get $at) (local.get $end))))
    (i32.store16 offset=8 (local.get $page) (local.get $found))
    (local.set $h0 (call $finish (local.get $h0)))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h1))))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h2))))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h3))))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h4))))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h5))))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h6))))
    (local.set $h0 (v128.xor (local.get $h0) (call $finish (local.get $h7))))
    (i32.add
      (i32.rem_u
        (i32.xor
          (local.get $block)
          (i32.xor
            (i32.xor (i32x4.extract_lane 0 (local.get $h0)) (i32x4.extract_lane 1 (local.get $h0)))
            (i32.xor (i32x4.extract_lane 2 (local.get $h0)) (i32x4.extract_lane 3 (local.get $h0)))))
        (i32.const 65535))
      (i32.const 1)))

  ;; Whether a page was never used: all zeros. A header without free-space pointers on any other page is damage.
  (func $isNew (param $page i32) (param $size i32) (result i32)
    (local $end i32)
    (if (i32.load16_u offset=14 (local.get $page)) (then (return (i32.const 0))))
    (local.set $end (i32.add (local.get $page) (local.get $size)))
    (loop $words
      (if (v128.any_true (v128.load (local.get $page))) (then (return (i32.const 0))))
      (local.set $page (i32.add (local.get $page) (i32.const 16)))
      (br_if $words (i32.lt_u (local.get $page) (local.get $end))))
    (i32.const 1))

  ;; Index of the first damaged page at or behind $index of the $count pages from $pages on, which begin with block $block; -1
  ;; for none. With $judgeAll 0, pages whose LSN is $start or later are not judged.
  (func (export "firstDamaged")
    (param $pages i32) (param $index i32) (param $count i32) (param $size i32) (param $block i32)
    (param $judgeAll i32) (param $start i64) (result i32)
    (local $page i32)
    (block $none
      (loop $next
        (br_if $none (i32.ge_u (local.get $index) (local.get $count)))
        (local.set $page (i32.add (local.get $pages) (i32.mul (local.get $index) (local.get $size))))
        (block $sound
          (br_if $sound (call $isNew (local.get $page) (local.get $size)))
          ;; pd_lsn is kept as two halves, the upper one first.
          (if (i32.eqz (local.get $judgeAll))
            (then (br_if $sound (i64.ge_u (i64.rotl (i64.load (local.get $page)) (i64.const 32)) (local.get $start)))))
          (br_if $sound
            (i32.eq
              (i32.load16_u offset=8 (local.get $page))
              (call $checksum (local.get $page) (local.get $size) (i32.add (local.get $block) (local.get $index)))))
          (return (local.get $index)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (i32.const -1)))
