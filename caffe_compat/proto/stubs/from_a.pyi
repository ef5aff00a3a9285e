# Written by tools/make_stubs.py; change that file or the schema, not this one.
# fmt: off
# ruff: noqa
from collections.abc import Iterable
from caffe_compat.proto.stubs.base import (Enum, Fields, Message, Messages, Scalars)
from caffe_compat.proto.stubs.from_d import (EmitConstraint, ExpansionParameter, LaneInfo, MarginAddParameter)
from caffe_compat.proto.stubs.from_m import (NoiseParameter, NonMaximumSuppressionParameter, NormalizedBBox,
        NormalizedOrientedBBox, NormalizedPBox, NormalizedPolygon, NormalizedRBox, ParamParameter,
        RandomGeneratorParameter, RecurrentConnectionParameter, ResizeParameter, SampleConstraint, Sampler,
        SaveOutputParameter)
from caffe_compat.proto.stubs.from_s import (TopParameter)
from caffe_compat.proto.stubs.stock import (BlobShape, ConvolutionParameter, Datum, FillerParameter,
        NetParameter, ParamSpec, PoolingParameter, ReLUParameter, ReductionParameter)

class AccumParameter(Message):
    top_height: int
    top_width: int
    size_divisible_by: int
    have_reference: bool
    def __init__(self, *, top_height: int = ..., top_width: int = ..., size_divisible_by: int = ...,
        have_reference: bool = ...) -> None: ...

class AccumulatorLossParameter(Message):
    radius: int
    downsampling: int
    negative_ratio: float
    circle_ratio: float
    bounds_overlap: float
    def __init__(self, *, radius: int = ..., downsampling: int = ..., negative_ratio: float = ...,
        circle_ratio: float = ..., bounds_overlap: float = ...) -> None: ...

class AccuracyDistanceParameter(Message):
    dh: int
    axis: int
    ignore_label: int
    dw: int
    def __init__(self, *, dh: int = ..., axis: int = ..., ignore_label: int = ..., dw: int = ...) -> None: ...

class AccuracySigmoidParameter(Message):
    task_num: int
    axis: int
    compute_average_accuracy: bool
    def __init__(self, *, task_num: int = ..., axis: int = ...,
        compute_average_accuracy: bool = ...) -> None: ...

class AccuracySphereParameter(Message):
    tol_angle: float
    def __init__(self, *, tol_angle: float = ...) -> None: ...

class AccuracyViewParameter(Message):
    tol_angle: float
    period: int
    def __init__(self, *, tol_angle: float = ..., period: int = ...) -> None: ...

class AdacosAddMScaleParameter(Message):
    m: float
    num_classes: int
    def __init__(self, *, m: float = ..., num_classes: int = ...) -> None: ...

class AdaptiveBiasChannelParameter(Message):
    num_iter: int
    bg_portion: float
    fg_portion: float
    suppress_others: bool
    margin_others: float
    def __init__(self, *, num_iter: int = ..., bg_portion: float = ..., fg_portion: float = ...,
        suppress_others: bool = ..., margin_others: float = ...) -> None: ...

class AdditiveMarginInnerProductParameter(Message):
    num_output: int
    weight_filler: FillerParameter
    m: float
    axis: int
    def __init__(self, *, num_output: int = ..., weight_filler: FillerParameter | Fields = ...,
        m: float = ..., axis: int = ...) -> None: ...

class AdversarialImageDataParamater(Message):
    skip_iterations: int
    diff_strength: float
    pool_size: int
    adversarial_ratio: float
    max_pixel_change: float
    def __init__(self, *, skip_iterations: int = ..., diff_strength: float = ..., pool_size: int = ...,
        adversarial_ratio: float = ..., max_pixel_change: float = ...) -> None: ...

class AffineMatrixParameter(Message):
    base_sx: float
    base_sy: float
    min_sx: float
    max_sx: float
    min_sy: float
    max_sy: float
    min_hx: float
    max_hx: float
    min_hy: float
    max_hy: float
    min_tx: float
    max_tx: float
    min_ty: float
    max_ty: float
    min_alpha: float
    max_alpha: float
    max_diff: float
    normalize_params: bool
    bias: bool
    def __init__(self, *, base_sx: float = ..., base_sy: float = ..., min_sx: float = ...,
        max_sx: float = ..., min_sy: float = ..., max_sy: float = ..., min_hx: float = ...,
        max_hx: float = ..., min_hy: float = ..., max_hy: float = ..., min_tx: float = ...,
        max_tx: float = ..., min_ty: float = ..., max_ty: float = ..., min_alpha: float = ...,
        max_alpha: float = ..., max_diff: float = ..., normalize_params: bool = ...,
        bias: bool = ...) -> None: ...

class AffinityParameter(Message):
    offset: Scalars[int]
    def __init__(self, *, offset: Iterable[int] = ...) -> None: ...

class AnchorEmbeddingExtractorParameter(Message):
    num_anchors: int
    label_src_pos: int
    num_valid_actions: int
    output_instance_weights: bool
    output_proposals: bool
    def __init__(self, *, num_anchors: int = ..., label_src_pos: int = ..., num_valid_actions: int = ...,
        output_instance_weights: bool = ..., output_proposals: bool = ...) -> None: ...

class AnnotatedDataParameter(Message):
    batch_sampler: Messages[BatchSampler]
    label_map_file: str
    anno_type: int
    yolo_data_type: int
    yolo_data_jitter: float
    train_diffcult: bool
    single_class: bool
    seg_scales: int
    seg_resize_width: int
    seg_resize_height: int
    difficult_label_warmup: bool
    oriented: bool
    def __init__(self, *, batch_sampler: Iterable[BatchSampler | Fields] = ..., label_map_file: str = ...,
        anno_type: int | str = ..., yolo_data_type: int = ..., yolo_data_jitter: float = ...,
        train_diffcult: bool = ..., single_class: bool = ..., seg_scales: int = ...,
        seg_resize_width: int = ..., seg_resize_height: int = ..., difficult_label_warmup: bool = ...,
        oriented: bool = ...) -> None: ...

class AnnotatedDatum(Message):
    AnnotationType: Enum
    BBOX: int
    BBOXandSeg: int
    LANE: int
    PBOX: int
    datum: Datum
    type: int
    annotation_group: Messages[AnnotationGroup]
    record_id: int
    def __init__(self, *, datum: Datum | Fields = ..., type: int | str = ...,
        annotation_group: Iterable[AnnotationGroup | Fields] = ..., record_id: int = ...) -> None: ...

class AnnotatedRDataParameter(Message):
    batch_sampler: Messages[BatchSampler]
    label_map_file: str
    def __init__(self, *, batch_sampler: Iterable[BatchSampler | Fields] = ...,
        label_map_file: str = ...) -> None: ...

class Annotation(Message):
    instance_id: int
    bbox: NormalizedBBox
    oriented_bbox: NormalizedOrientedBBox
    polygon: NormalizedPolygon
    rbox: NormalizedRBox
    lanes: LaneInfo
    pbox: NormalizedPBox
    def __init__(self, *, instance_id: int = ..., bbox: NormalizedBBox | Fields = ...,
        oriented_bbox: NormalizedOrientedBBox | Fields = ..., polygon: NormalizedPolygon | Fields = ...,
        rbox: NormalizedRBox | Fields = ..., lanes: LaneInfo | Fields = ...,
        pbox: NormalizedPBox | Fields = ...) -> None: ...

class AnnotationGroup(Message):
    group_label: int
    annotation: Messages[Annotation]
    def __init__(self, *, group_label: int = ...,
        annotation: Iterable[Annotation | Fields] = ...) -> None: ...

class APLParameter(Message):
    sums: int
    slope_filler: FillerParameter
    offset_filler: FillerParameter
    def __init__(self, *, sums: int = ..., slope_filler: FillerParameter | Fields = ...,
        offset_filler: FillerParameter | Fields = ...) -> None: ...

class ArgMaxOneParameter(Message):
    axis: int
    def __init__(self, *, axis: int = ...) -> None: ...

class AsdnDataParameter(Message):
    count_drop: int
    permute_count: int
    count_drop_neg: int
    channels: int
    iter_size: int
    maintain_before: int
    def __init__(self, *, count_drop: int = ..., permute_count: int = ..., count_drop_neg: int = ...,
        channels: int = ..., iter_size: int = ..., maintain_before: int = ...) -> None: ...

class AtariDataParameter(Message):
    num_frame: int
    num_act: int
    channels: int
    streaming: bool
    out_clip: bool
    load_to_memory: bool
    out_act: bool
    def __init__(self, *, num_frame: int = ..., num_act: int = ..., channels: int = ...,
        streaming: bool = ..., out_clip: bool = ..., load_to_memory: bool = ...,
        out_act: bool = ...) -> None: ...

class AttentionDataParameter(Message):
    source: str
    scale: float
    batch_size: int
    num_class: int
    input_size: int
    mean_value: Scalars[float]
    cache_images: bool
    root_folder: str
    random_sampling: bool
    def __init__(self, *, source: str = ..., scale: float = ..., batch_size: int = ..., num_class: int = ...,
        input_size: int = ..., mean_value: Iterable[float] = ..., cache_images: bool = ...,
        root_folder: str = ..., random_sampling: bool = ...) -> None: ...

class AttPoolingParameter(Message):
    AttMode: Enum
    GLOBAL: int
    LOCAL: int
    att_mode: int
    pad: int
    kernel_size: int
    stride: int
    dilation: int
    def __init__(self, *, att_mode: int | str = ..., pad: int = ..., kernel_size: int = ...,
        stride: int = ..., dilation: int = ...) -> None: ...

class AugmentationParameter(Message):
    num_transformations: int
    max_translation: float
    min_translation: float
    max_rotation: float
    min_rotation: float
    max_scaling: float
    min_scaling: float
    max_mcc: float
    min_mcc: float
    max_gamma: float
    min_gamma: float
    max_gaussian: float
    min_gaussian: float
    max_contrast: float
    min_contrast: float
    max_brightness: float
    min_brightness: float
    mean: Scalars[float]
    lmult_pow: RandomGeneratorParameter
    lmult_mult: RandomGeneratorParameter
    lmult_add: RandomGeneratorParameter
    sat_pow: RandomGeneratorParameter
    sat_mult: RandomGeneratorParameter
    sat_add: RandomGeneratorParameter
    col_pow: RandomGeneratorParameter
    col_mult: RandomGeneratorParameter
    col_add: RandomGeneratorParameter
    ladd_pow: RandomGeneratorParameter
    ladd_mult: RandomGeneratorParameter
    ladd_add: RandomGeneratorParameter
    col_rotate: RandomGeneratorParameter
    crop_width: int
    crop_height: int
    gamma: RandomGeneratorParameter
    brightness: RandomGeneratorParameter
    contrast: RandomGeneratorParameter
    color: RandomGeneratorParameter
    bottomwidth: int
    bottomheight: int
    num: int
    chromatic_eigvec: Scalars[float]
    fog_amount: RandomGeneratorParameter
    fog_size: RandomGeneratorParameter
    motion_blur_angle: RandomGeneratorParameter
    motion_blur_size: RandomGeneratorParameter
    shadow_angle: RandomGeneratorParameter
    shadow_distance: RandomGeneratorParameter
    shadow_strength: RandomGeneratorParameter
    noise: RandomGeneratorParameter
    write_augmented: str
    max_multiplier: float
    augment_during_test: bool
    recompute_mean: int
    write_mean: str
    mean_per_pixel: bool
    mode: str
    mirror: RandomGeneratorParameter
    translate: RandomGeneratorParameter
    rotate: RandomGeneratorParameter
    zoom: RandomGeneratorParameter
    squeeze: RandomGeneratorParameter
    translate_x: RandomGeneratorParameter
    translate_y: RandomGeneratorParameter
    def __init__(self, *, num_transformations: int = ..., max_translation: float = ...,
        min_translation: float = ..., max_rotation: float = ..., min_rotation: float = ...,
        max_scaling: float = ..., min_scaling: float = ..., max_mcc: float = ..., min_mcc: float = ...,
        max_gamma: float = ..., min_gamma: float = ..., max_gaussian: float = ..., min_gaussian: float = ...,
        max_contrast: float = ..., min_contrast: float = ..., max_brightness: float = ...,
        min_brightness: float = ..., mean: Iterable[float] = ...,
        lmult_pow: RandomGeneratorParameter | Fields = ...,
        lmult_mult: RandomGeneratorParameter | Fields = ...,
        lmult_add: RandomGeneratorParameter | Fields = ..., sat_pow: RandomGeneratorParameter | Fields = ...,
        sat_mult: RandomGeneratorParameter | Fields = ..., sat_add: RandomGeneratorParameter | Fields = ...,
        col_pow: RandomGeneratorParameter | Fields = ..., col_mult: RandomGeneratorParameter | Fields = ...,
        col_add: RandomGeneratorParameter | Fields = ..., ladd_pow: RandomGeneratorParameter | Fields = ...,
        ladd_mult: RandomGeneratorParameter | Fields = ..., ladd_add: RandomGeneratorParameter | Fields = ...,
        col_rotate: RandomGeneratorParameter | Fields = ..., crop_width: int = ..., crop_height: int = ...,
        gamma: RandomGeneratorParameter | Fields = ..., brightness: RandomGeneratorParameter | Fields = ...,
        contrast: RandomGeneratorParameter | Fields = ..., color: RandomGeneratorParameter | Fields = ...,
        bottomwidth: int = ..., bottomheight: int = ..., num: int = ...,
        chromatic_eigvec: Iterable[float] = ..., fog_amount: RandomGeneratorParameter | Fields = ...,
        fog_size: RandomGeneratorParameter | Fields = ...,
        motion_blur_angle: RandomGeneratorParameter | Fields = ...,
        motion_blur_size: RandomGeneratorParameter | Fields = ...,
        shadow_angle: RandomGeneratorParameter | Fields = ...,
        shadow_distance: RandomGeneratorParameter | Fields = ...,
        shadow_strength: RandomGeneratorParameter | Fields = ...,
        noise: RandomGeneratorParameter | Fields = ..., write_augmented: str = ...,
        max_multiplier: float = ..., augment_during_test: bool = ..., recompute_mean: int = ...,
        write_mean: str = ..., mean_per_pixel: bool = ..., mode: str = ...,
        mirror: RandomGeneratorParameter | Fields = ..., translate: RandomGeneratorParameter | Fields = ...,
        rotate: RandomGeneratorParameter | Fields = ..., zoom: RandomGeneratorParameter | Fields = ...,
        squeeze: RandomGeneratorParameter | Fields = ...,
        translate_x: RandomGeneratorParameter | Fields = ...,
        translate_y: RandomGeneratorParameter | Fields = ...) -> None: ...

class AUMaskBasedLandParameter(Message):
    img_size: int
    spatial_ratio: float
    spatial_scale: float
    fill_type: str
    fill_coeff: float
    fill_value: float
    def __init__(self, *, img_size: int = ..., spatial_ratio: float = ..., spatial_scale: float = ...,
        fill_type: str = ..., fill_coeff: float = ..., fill_value: float = ...) -> None: ...

class AxisPoolingParameter(Message):
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    axis: int
    pool: int
    def __init__(self, *, axis: int = ..., pool: int | str = ...) -> None: ...

class BatchContrastiveParameter(Message):
    positive_margin: float
    negative_margin: float
    positive_weight: float
    negative_weight: float
    max_only: bool
    def __init__(self, *, positive_margin: float = ..., negative_margin: float = ...,
        positive_weight: float = ..., negative_weight: float = ..., max_only: bool = ...) -> None: ...

class BatchPairingParameter(Message):
    pos_label: float
    neg_label: float
    def __init__(self, *, pos_label: float = ..., neg_label: float = ...) -> None: ...

class BatchParameter(Message):
    use_global_stats: bool
    def __init__(self, *, use_global_stats: bool = ...) -> None: ...

class BatchReductionParameter(Message):
    level: Scalars[int]
    reduction_param: ReductionParameter
    pos: bool
    def __init__(self, *, level: Iterable[int] = ..., reduction_param: ReductionParameter | Fields = ...,
        pos: bool = ...) -> None: ...

class BatchSampler(Message):
    use_original_image: bool
    sampler: Sampler
    sample_constraint: SampleConstraint
    max_sample: int
    max_trials: int
    def __init__(self, *, use_original_image: bool = ..., sampler: Sampler | Fields = ...,
        sample_constraint: SampleConstraint | Fields = ..., max_sample: int = ...,
        max_trials: int = ...) -> None: ...

class BBoxRegParameter(Message):
    bbox_mean: Scalars[float]
    bbox_std: Scalars[float]
    cls_aware: bool
    def __init__(self, *, bbox_mean: Iterable[float] = ..., bbox_std: Iterable[float] = ...,
        cls_aware: bool = ...) -> None: ...

class BBTXTBBParameter(Message):
    ideal_size: float
    downsampling: int
    def __init__(self, *, ideal_size: float = ..., downsampling: int = ...) -> None: ...

class BBTXTParameter(Message):
    width: int
    height: int
    reference_size_min: int
    reference_size_max: int
    def __init__(self, *, width: int = ..., height: int = ..., reference_size_min: int = ...,
        reference_size_max: int = ...) -> None: ...

class BdctToSpatialParameter(Message):
    quality: float
    def __init__(self, *, quality: float = ...) -> None: ...

class BeamSearchParameter(Message):
    net: str
    net_param: NetParameter
    weights: str
    sequence_length: int
    beam_size: int
    end_of_sequence: int
    recurrent_connection: Messages[RecurrentConnectionParameter]
    beam_search_connection: RecurrentConnectionParameter
    prevent_repeats: bool
    allowed_multiple: Scalars[int]
    ignore_label: int
    def __init__(self, *, net: str = ..., net_param: NetParameter | Fields = ..., weights: str = ...,
        sequence_length: int = ..., beam_size: int = ..., end_of_sequence: int = ...,
        recurrent_connection: Iterable[RecurrentConnectionParameter | Fields] = ...,
        beam_search_connection: RecurrentConnectionParameter | Fields = ..., prevent_repeats: bool = ...,
        allowed_multiple: Iterable[int] = ..., ignore_label: int = ...) -> None: ...

class BiasChannelParameter(Message):
    LabelType: Enum
    IMAGE: int
    PIXEL: int
    bg_bias: float
    fg_bias: float
    ignore_label: Scalars[int]
    label_type: int
    background_label: int
    def __init__(self, *, bg_bias: float = ..., fg_bias: float = ..., ignore_label: Iterable[int] = ...,
        label_type: int | str = ..., background_label: int = ...) -> None: ...

class BilinearPatchParameter(Message):
    patch_h: int
    patch_w: int
    def __init__(self, *, patch_h: int = ..., patch_w: int = ...) -> None: ...

class BinaryAccuracyParameter(Message):
    AccuracyMode: Enum
    Accuracy: int
    Precision: int
    Recall: int
    F_measure: int
    accuracy_mode: int
    def __init__(self, *, accuracy_mode: int | str = ...) -> None: ...

class BinaryDataParameter(Message):
    source: str
    batch_size: int
    def __init__(self, *, source: str = ..., batch_size: int = ...) -> None: ...

class BinaryLabelParameter(Message):
    negative_target: float
    def __init__(self, *, negative_target: float = ...) -> None: ...

class BinomialDevianceLossParameter(Message):
    alpha: float
    beta: float
    c: float
    def __init__(self, *, alpha: float = ..., beta: float = ..., c: float = ...) -> None: ...

class BlackAugmentationParameter(Message):
    black: RandomGeneratorParameter
    border: RandomGeneratorParameter
    def __init__(self, *, black: RandomGeneratorParameter | Fields = ...,
        border: RandomGeneratorParameter | Fields = ...) -> None: ...

class BlockGroupLassoSpec(Message):
    xdimen: int
    ydimen: int
    block_decay_mult: float
    def __init__(self, *, xdimen: int = ..., ydimen: int = ..., block_decay_mult: float = ...) -> None: ...

class BlockParameter(Message):
    block_size: int
    block_h: int
    block_w: int
    block_c: int
    stride: int
    stride_h: int
    stride_w: int
    stride_c: int
    pad: int
    pad_h: int
    pad_w: int
    pad_c: int
    round_down: bool
    out_of_bounds_value: float
    def __init__(self, *, block_size: int = ..., block_h: int = ..., block_w: int = ..., block_c: int = ...,
        stride: int = ..., stride_h: int = ..., stride_w: int = ..., stride_c: int = ..., pad: int = ...,
        pad_h: int = ..., pad_w: int = ..., pad_c: int = ..., round_down: bool = ...,
        out_of_bounds_value: float = ...) -> None: ...

class BNConvParameter(Message):
    decay: float
    fix: bool
    def __init__(self, *, decay: float = ..., fix: bool = ...) -> None: ...

class BNParameter(Message):
    BNMode: Enum
    LEARN: int
    INFERENCE: int
    CORRECT: int
    NORM: int
    NOTHING: int
    AUTO_NORM: int
    AUTO_CORRECT: int
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    SyncScope: Enum
    NONE: int
    HOST: int
    ALL: int
    slope_filler: FillerParameter
    bias_filler: FillerParameter
    momentum: float
    eps: float
    frozen: bool
    engine: int
    use_global_stats: bool
    rebn: bool
    relax_iter: Scalars[int]
    max_r: Scalars[float]
    max_d: Scalars[float]
    r_max: float
    multigpu_sync: int
    scale_filler: FillerParameter
    shift_filler: FillerParameter
    bn_mode: int
    moving_average: bool
    decay: float
    axis: float
    is_gradient_check: bool
    clip_r: bool
    clip_d: bool
    d_max: float
    var_eps: float
    population_iter: int
    use_history_in_test: bool
    def __init__(self, *, slope_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., momentum: float = ..., eps: float = ...,
        frozen: bool = ..., engine: int | str = ..., use_global_stats: bool = ..., rebn: bool = ...,
        relax_iter: Iterable[int] = ..., max_r: Iterable[float] = ..., max_d: Iterable[float] = ...,
        r_max: float = ..., multigpu_sync: int | str = ..., scale_filler: FillerParameter | Fields = ...,
        shift_filler: FillerParameter | Fields = ..., bn_mode: int | str = ..., moving_average: bool = ...,
        decay: float = ..., axis: float = ..., is_gradient_check: bool = ..., clip_r: bool = ...,
        clip_d: bool = ..., d_max: float = ..., var_eps: float = ..., population_iter: int = ...,
        use_history_in_test: bool = ...) -> None: ...

class BofParameter(Message):
    MetricWord: Enum
    L2: int
    num_output: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    metric: int
    def __init__(self, *, num_output: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., metric: int | str = ...) -> None: ...

class BoxAnnotatorOHEMParameter(Message):
    roi_per_img: int
    ignore_label: int
    def __init__(self, *, roi_per_img: int = ..., ignore_label: int = ...) -> None: ...

class BoxGroupOutputParameter(Message):
    fg_thr: float
    iou_thr: float
    nms_type: str
    box_group_param: Messages[BoxGroupParameter]
    field_whr: float
    field_xyr: float
    max_nms_num: int
    max_post_nms_num: int
    min_size: float
    def __init__(self, *, fg_thr: float = ..., iou_thr: float = ..., nms_type: str = ...,
        box_group_param: Iterable[BoxGroupParameter | Fields] = ..., field_whr: float = ...,
        field_xyr: float = ..., max_nms_num: int = ..., max_post_nms_num: int = ...,
        min_size: float = ...) -> None: ...

class BoxGroupParameter(Message):
    field_h: Scalars[int]
    field_w: Scalars[int]
    stride: int
    def __init__(self, *, field_h: Iterable[int] = ..., field_w: Iterable[int] = ...,
        stride: int = ...) -> None: ...

class BoxOutputParameter(Message):
    fg_thr: float
    iou_thr: float
    nms_type: str
    field_h: Scalars[int]
    field_w: Scalars[int]
    downsample_rate: Scalars[int]
    field_whr: float
    field_xyr: float
    max_nms_num: int
    max_post_nms_num: int
    min_size: float
    def __init__(self, *, fg_thr: float = ..., iou_thr: float = ..., nms_type: str = ...,
        field_h: Iterable[int] = ..., field_w: Iterable[int] = ..., downsample_rate: Iterable[int] = ...,
        field_whr: float = ..., field_xyr: float = ..., max_nms_num: int = ..., max_post_nms_num: int = ...,
        min_size: float = ...) -> None: ...

class BoxParameter(Message):
    width: int
    height: int
    xcoord: Scalars[int]
    ycoord: Scalars[int]
    pooling_param: PoolingParameter
    relu_param: ReLUParameter
    box_height: int
    box_width: int
    param: Messages[ParamSpec]
    convolution_param: ConvolutionParameter
    def __init__(self, *, width: int = ..., height: int = ..., xcoord: Iterable[int] = ...,
        ycoord: Iterable[int] = ..., pooling_param: PoolingParameter | Fields = ...,
        relu_param: ReLUParameter | Fields = ..., box_height: int = ..., box_width: int = ...,
        param: Iterable[ParamSpec | Fields] = ...,
        convolution_param: ConvolutionParameter | Fields = ...) -> None: ...

class BoxTermParameter(Message):
    detection_box_input_dir: str
    detection_pixel_input_dir: str
    is_no_rescore_baseline: bool
    is_background_det: bool
    background_det_score: float
    force_cpu: bool
    def __init__(self, *, detection_box_input_dir: str = ..., detection_pixel_input_dir: str = ...,
        is_no_rescore_baseline: bool = ..., is_background_det: bool = ..., background_det_score: float = ...,
        force_cpu: bool = ...) -> None: ...

class BReLUParameter(Message):
    minval: float
    maxval: float
    def __init__(self, *, minval: float = ..., maxval: float = ...) -> None: ...

class BroadEltParameter(Message):
    BroadEltOp: Enum
    PROD: int
    SUM: int
    MAX: int
    operation: int
    axis: int
    def __init__(self, *, operation: int | str = ..., axis: int = ...) -> None: ...

class BTCostVolumeParameter(Message):
    CostDomainType: Enum
    SOBEL_ONLY: int
    IMAGE_ONLY: int
    SOBEL_AND_IMAGE: int
    ImplementMode: Enum
    GPU_MODE: int
    CPU_MODE: int
    min_disparity: int
    disparity_num: int
    save_disparity: bool
    step_w: int
    step_h: int
    step_mode: int
    cost_domain_type: int
    implement_mode: int
    sobel_multiply_scale: float
    img_multiply_scale: float
    def __init__(self, *, min_disparity: int = ..., disparity_num: int = ..., save_disparity: bool = ...,
        step_w: int = ..., step_h: int = ..., step_mode: int = ..., cost_domain_type: int | str = ...,
        implement_mode: int | str = ..., sobel_multiply_scale: float = ...,
        img_multiply_scale: float = ...) -> None: ...

class CapParameter(Message):
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    routing_num: int
    input_capsule_dim: int
    input_capsule_num: int
    output_capsule_dim: int
    output_capsule_num: int
    def __init__(self, *, bias_term: bool = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., routing_num: int = ..., input_capsule_dim: int = ...,
        input_capsule_num: int = ..., output_capsule_dim: int = ...,
        output_capsule_num: int = ...) -> None: ...

class CapSequenceParameter(Message):
    sequence_lengths: Scalars[int]
    def __init__(self, *, sequence_lengths: Iterable[int] = ...) -> None: ...

class CapsuleConvParameter(Message):
    weight_filler: FillerParameter
    stride: int
    kh: int
    kw: int
    input_capsule_num: int
    output_capsule_num: int
    output_capsule_shape: BlobShape
    input_h: int
    input_w: int
    input_capsule_shape: BlobShape
    bias_filler: FillerParameter
    bias_term: bool
    group: int
    def __init__(self, *, weight_filler: FillerParameter | Fields = ..., stride: int = ..., kh: int = ...,
        kw: int = ..., input_capsule_num: int = ..., output_capsule_num: int = ...,
        output_capsule_shape: BlobShape | Fields = ..., input_h: int = ..., input_w: int = ...,
        input_capsule_shape: BlobShape | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        bias_term: bool = ..., group: int = ...) -> None: ...

class CapsuleConvRoutingParameter(Message):
    weight_filler: FillerParameter
    stride: int
    kh: int
    kw: int
    input_capsule_num: int
    output_capsule_num: int
    output_capsule_shape: BlobShape
    input_h: int
    input_w: int
    def __init__(self, *, weight_filler: FillerParameter | Fields = ..., stride: int = ..., kh: int = ...,
        kw: int = ..., input_capsule_num: int = ..., output_capsule_num: int = ...,
        output_capsule_shape: BlobShape | Fields = ..., input_h: int = ..., input_w: int = ...) -> None: ...

class CapsuleConvTransformParameter(Message):
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    stride: int
    kh: int
    kw: int
    input_capsule_num: int
    input_capsule_shape: BlobShape
    output_capsule_num: int
    output_capsule_shape: BlobShape
    input_h: int
    input_w: int
    def __init__(self, *, bias_term: bool = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., stride: int = ..., kh: int = ..., kw: int = ...,
        input_capsule_num: int = ..., input_capsule_shape: BlobShape | Fields = ...,
        output_capsule_num: int = ..., output_capsule_shape: BlobShape | Fields = ..., input_h: int = ...,
        input_w: int = ...) -> None: ...

class CapsuleDeconvParameter(Message):
    weight_filler: FillerParameter
    stride: int
    kh: int
    kw: int
    input_capsule_num: int
    output_capsule_num: int
    output_capsule_shape: BlobShape
    input_h: int
    input_w: int
    input_capsule_shape: BlobShape
    def __init__(self, *, weight_filler: FillerParameter | Fields = ..., stride: int = ..., kh: int = ...,
        kw: int = ..., input_capsule_num: int = ..., output_capsule_num: int = ...,
        output_capsule_shape: BlobShape | Fields = ..., input_h: int = ..., input_w: int = ...,
        input_capsule_shape: BlobShape | Fields = ...) -> None: ...

class CapsuleDeconvRoutingParameter(Message):
    weight_filler: FillerParameter
    stride: int
    kh: int
    kw: int
    input_capsule_num: int
    output_capsule_num: int
    output_capsule_shape: BlobShape
    input_h: int
    input_w: int
    input_capsule_shape: BlobShape
    def __init__(self, *, weight_filler: FillerParameter | Fields = ..., stride: int = ..., kh: int = ...,
        kw: int = ..., input_capsule_num: int = ..., output_capsule_num: int = ...,
        output_capsule_shape: BlobShape | Fields = ..., input_h: int = ..., input_w: int = ...,
        input_capsule_shape: BlobShape | Fields = ...) -> None: ...

class CapsuleDeconvTransformParameter(Message):
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    stride: int
    kh: int
    kw: int
    input_capsule_num: int
    input_capsule_shape: BlobShape
    output_capsule_num: int
    output_capsule_shape: BlobShape
    input_h: int
    input_w: int
    def __init__(self, *, bias_term: bool = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., stride: int = ..., kh: int = ..., kw: int = ...,
        input_capsule_num: int = ..., input_capsule_shape: BlobShape | Fields = ...,
        output_capsule_num: int = ..., output_capsule_shape: BlobShape | Fields = ..., input_h: int = ...,
        input_w: int = ...) -> None: ...

class CapsuleLenParameter(Message):
    num_class: int
    def __init__(self, *, num_class: int = ...) -> None: ...

class CapsuleMaskParameter(Message):
    class_num: int
    def __init__(self, *, class_num: int = ...) -> None: ...

class CapsuleProductParameter(Message):
    dim: int
    num: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, dim: int = ..., num: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class CapsuleReluParameter(Message):
    dim: int
    thre: float
    def __init__(self, *, dim: int = ..., thre: float = ...) -> None: ...

class CapsuleReshapeParameter(Message):
    capsule_dim: int
    def __init__(self, *, capsule_dim: int = ...) -> None: ...

class CapsuleRoutingParameter(Message):
    weight_filler: FillerParameter
    input_capsule_num: int
    output_capsule_dim: int
    output_capsule_num: int
    def __init__(self, *, weight_filler: FillerParameter | Fields = ..., input_capsule_num: int = ...,
        output_capsule_dim: int = ..., output_capsule_num: int = ...) -> None: ...

class CapsuleTransformParameter(Message):
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    input_capsule_dim: int
    output_capsule_dim: int
    output_capsule_num: int
    def __init__(self, *, bias_term: bool = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., input_capsule_dim: int = ...,
        output_capsule_dim: int = ..., output_capsule_num: int = ...) -> None: ...

class CarcontParameter(Message):
    num_all_id: int
    num_all_col: int
    num_all_mod: int
    ni: int
    nii: int
    nc: int
    nic: int
    nm: int
    nim: int
    def __init__(self, *, num_all_id: int = ..., num_all_col: int = ..., num_all_mod: int = ...,
        ni: int = ..., nii: int = ..., nc: int = ..., nic: int = ..., nm: int = ...,
        nim: int = ...) -> None: ...

class CCCPParameter(Message):
    num_output: int
    bias_term: bool
    group: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., group: int = ...,
        weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class CConvolutionParameter(Message):
    gamma: float
    power: float
    iter_stop: float
    c_rate: float
    weight_mask_filler: FillerParameter
    bias_mask_filler: FillerParameter
    alpha_low: float
    alpha_high: float
    def __init__(self, *, gamma: float = ..., power: float = ..., iter_stop: float = ..., c_rate: float = ...,
        weight_mask_filler: FillerParameter | Fields = ..., bias_mask_filler: FillerParameter | Fields = ...,
        alpha_low: float = ..., alpha_high: float = ...) -> None: ...

class CensorLabelParameter(Message):
    ignore_label: int
    def __init__(self, *, ignore_label: int = ...) -> None: ...

class CenterDistanceParameter(Message):
    num_output: int
    center_filler: FillerParameter
    axis: int
    def __init__(self, *, num_output: int = ..., center_filler: FillerParameter | Fields = ...,
        axis: int = ...) -> None: ...

class CenterLossParameter(Message):
    num_output: int
    center_filler: FillerParameter
    axis: int
    distance_type: str
    loss_weight: float
    alpha: float
    cluster_num: int
    def __init__(self, *, num_output: int = ..., center_filler: FillerParameter | Fields = ...,
        axis: int = ..., distance_type: str = ..., loss_weight: float = ..., alpha: float = ...,
        cluster_num: int = ...) -> None: ...

class CEuclideanLossParameter(Message):
    margin: float
    def __init__(self, *, margin: float = ...) -> None: ...

class ChannelAggregatorParameter(Message):
    label_map_file: str
    def __init__(self, *, label_map_file: str = ...) -> None: ...

class ChannelDropoutParameter(Message):
    dropout_ratio: float
    def __init__(self, *, dropout_ratio: float = ...) -> None: ...

class ChannelReduceParameter(Message):
    Op: Enum
    SUM: int
    MAX: int
    num_channels: int
    operation: int
    def __init__(self, *, num_channels: int = ..., operation: int | str = ...) -> None: ...

class ChannelScaleParameter(Message):
    do_forward: bool
    do_backward_feature: bool
    do_backward_scale: bool
    global_scale: bool
    max_global_scale: float
    min_global_scale: float
    init_global_scale: float
    def __init__(self, *, do_forward: bool = ..., do_backward_feature: bool = ...,
        do_backward_scale: bool = ..., global_scale: bool = ..., max_global_scale: float = ...,
        min_global_scale: float = ..., init_global_scale: float = ...) -> None: ...

class CInnerProductParameter(Message):
    gamma: float
    power: float
    iter_stop: float
    c_rate: float
    weight_mask_filler: FillerParameter
    bias_mask_filler: FillerParameter
    alpha_low: float
    alpha_high: float
    def __init__(self, *, gamma: float = ..., power: float = ..., iter_stop: float = ..., c_rate: float = ...,
        weight_mask_filler: FillerParameter | Fields = ..., bias_mask_filler: FillerParameter | Fields = ...,
        alpha_low: float = ..., alpha_high: float = ...) -> None: ...

class ClassDistanceParameter(Message):
    Metric: Enum
    L2: int
    IP: int
    L1: int
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    margin_mul: ParamParameter
    metric: int
    center_coef: float
    block_mul_grad: bool
    dropout_ratio: float
    ignore_zero: bool
    update_sigma: bool
    isotropic: bool
    margin_add: MarginAddParameter
    margin: float
    margin_max: float
    margin_mult: float
    margin_step: int
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        margin_mul: ParamParameter | Fields = ..., metric: int | str = ..., center_coef: float = ...,
        block_mul_grad: bool = ..., dropout_ratio: float = ..., ignore_zero: bool = ...,
        update_sigma: bool = ..., isotropic: bool = ..., margin_add: MarginAddParameter | Fields = ...,
        margin: float = ..., margin_max: float = ..., margin_mult: float = ...,
        margin_step: int = ...) -> None: ...

class ClassMapping(Message):
    src: int
    dst: int
    def __init__(self, *, src: int = ..., dst: int = ...) -> None: ...

class CMDLossParameter(Message):
    K: int
    eps: float
    decay: float
    def __init__(self, *, K: int = ..., eps: float = ..., decay: float = ...) -> None: ...

class CoeffScheduleParameter(Message):
    half_life: float
    initial_coeff: float
    final_coeff: float
    def __init__(self, *, half_life: float = ..., initial_coeff: float = ...,
        final_coeff: float = ...) -> None: ...

class ColinearConvolutionParameter(Message):
    num_output: int
    quadratic_term: bool
    linear_term: bool
    bias_term: bool
    pad: int
    kernel_size: int
    group: int
    stride: int
    quadratic_weight_filler: FillerParameter
    linear_weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., quadratic_term: bool = ..., linear_term: bool = ...,
        bias_term: bool = ..., pad: int = ..., kernel_size: int = ..., group: int = ..., stride: int = ...,
        quadratic_weight_filler: FillerParameter | Fields = ...,
        linear_weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class ColorConvParameter(Message):
    ColorSpace: Enum
    BGR: int
    RGB: int
    XYZ: int
    Lab: int
    Gray: int
    input: int
    output: int
    def __init__(self, *, input: int | str = ..., output: int | str = ...) -> None: ...

class ColorJitterTransformationParameter(Message):
    sigma: float
    def __init__(self, *, sigma: float = ...) -> None: ...

class ColorTransferParameter(Message):
    alpha: Scalars[float]
    beta: Scalars[float]
    gamma: Scalars[float]
    bias: Scalars[float]
    def __init__(self, *, alpha: Iterable[float] = ..., beta: Iterable[float] = ...,
        gamma: Iterable[float] = ..., bias: Iterable[float] = ...) -> None: ...

class CombinationParameter(Message):
    xcoord: Scalars[int]
    ycoord: Scalars[int]
    def __init__(self, *, xcoord: Iterable[int] = ..., ycoord: Iterable[int] = ...) -> None: ...

class CombineLossParameter(Message):
    Norm: Enum
    L1: int
    L2: int
    period: float
    split_num: int
    norm: int
    def __init__(self, *, period: float = ..., split_num: int = ..., norm: int | str = ...) -> None: ...

class CompactBilinearParameter(Message):
    num_output: int
    sum_pool: bool
    def __init__(self, *, num_output: int = ..., sum_pool: bool = ...) -> None: ...

class CompileNetState(Message):
    is_init: bool
    bn_scale_remove: bool
    bn_scale_merge: bool
    kept_bn_layers: Scalars[str]
    negative_conv_names: Scalars[str]
    negative_conv_indexes: Scalars[int]
    def __init__(self, *, is_init: bool = ..., bn_scale_remove: bool = ..., bn_scale_merge: bool = ...,
        kept_bn_layers: Iterable[str] = ..., negative_conv_names: Iterable[str] = ...,
        negative_conv_indexes: Iterable[int] = ...) -> None: ...

class CompressParameter(Message):
    delta: float
    alpha: float
    fixedpos: int
    maxbits: int
    def __init__(self, *, delta: float = ..., alpha: float = ..., fixedpos: int = ...,
        maxbits: int = ...) -> None: ...

class ConfidencePenaltyLossParameter(Message):
    beta: float
    def __init__(self, *, beta: float = ...) -> None: ...

class ConstrainIPParameter(Message):
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    axis: int
    sum1_rate: float
    monotonic_rate: float
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        axis: int = ..., sum1_rate: float = ..., monotonic_rate: float = ...) -> None: ...

class ConstScaleParameter(Message):
    bias: float
    scale: float
    def __init__(self, *, bias: float = ..., scale: float = ...) -> None: ...

class ContinuationIndicatorParameter(Message):
    time_step: int
    batch_size: int
    def __init__(self, *, time_step: int = ..., batch_size: int = ...) -> None: ...

class Convolution3DParameter(Message):
    num_output: int
    bias_term: bool
    pad: int
    kernel_size: int
    group: int
    kernel_depth: int
    stride: int
    temporal_stride: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    filter_group: int
    temporal_pad: int
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: int = ...,
        kernel_size: int = ..., group: int = ..., kernel_depth: int = ..., stride: int = ...,
        temporal_stride: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., filter_group: int = ...,
        temporal_pad: int = ...) -> None: ...

class ConvolutionCRParameter(Message):
    compute_weights_once: bool
    def __init__(self, *, compute_weights_once: bool = ...) -> None: ...

class ConvupsampleParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    num_output: int
    bias_term: bool
    pad: int
    kernel_size: int
    group: int
    stride: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    num_output_h: int
    num_output_w: int
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: int = ...,
        kernel_size: int = ..., group: int = ..., stride: int = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        pad_h: int = ..., pad_w: int = ..., kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ...,
        stride_w: int = ..., engine: int | str = ..., num_output_h: int = ...,
        num_output_w: int = ...) -> None: ...

class CornerCropParameter(Message):
    crop_size: int
    crop_h: int
    crop_w: int
    position: Scalars[str]
    def __init__(self, *, crop_size: int = ..., crop_h: int = ..., crop_w: int = ...,
        position: Iterable[str] = ...) -> None: ...

class CorrelationParameter(Message):
    CorrelationType: Enum
    MULTIPLY: int
    SUBTRACT: int
    pad: int
    kernel_size: int
    max_displacement: int
    stride_1: int
    stride_2: int
    do_abs: bool
    single_direction: int
    mvn: bool
    correlation_type: int
    pad_shift: int
    def __init__(self, *, pad: int = ..., kernel_size: int = ..., max_displacement: int = ...,
        stride_1: int = ..., stride_2: int = ..., do_abs: bool = ..., single_direction: int = ...,
        mvn: bool = ..., correlation_type: int | str = ..., pad_shift: int = ...) -> None: ...

class CorrelativeFiltersParameter(Message):
    opposite_num: int
    translation_horizon_num: int
    translation_vertical_num: int
    rotate_num: int
    scale_num: int
    scale_trans_source: str
    param_cf_num: int
    def __init__(self, *, opposite_num: int = ..., translation_horizon_num: int = ...,
        translation_vertical_num: int = ..., rotate_num: int = ..., scale_num: int = ...,
        scale_trans_source: str = ..., param_cf_num: int = ...) -> None: ...

class CosDataParameter(Message):
    source: str
    batch_size: int
    top: Messages[TopParameter]
    def __init__(self, *, source: str = ..., batch_size: int = ...,
        top: Iterable[TopParameter | Fields] = ...) -> None: ...

class CosinAddmParameter(Message):
    m: float
    transform_test: bool
    def __init__(self, *, m: float = ..., transform_test: bool = ...) -> None: ...

class CosineSimilarityBatchParameter(Message):
    pos_label: float
    neg_label: float
    def __init__(self, *, pos_label: float = ..., neg_label: float = ...) -> None: ...

class CosinMulmParameter(Message):
    m: float
    transform_test: bool
    def __init__(self, *, m: float = ..., transform_test: bool = ...) -> None: ...

class CoupledClusterLossParameter(Message):
    margin: float
    group_size: int
    scale: float
    log_flag: bool
    def __init__(self, *, margin: float = ..., group_size: int = ..., scale: float = ...,
        log_flag: bool = ...) -> None: ...

class CPMDataParameter(Message):
    DB: Enum
    LEVELDB: int
    LMDB: int
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    backend: int
    force_encoded_color: bool
    prefetch: int
    lbl_source: str
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., backend: int | str = ...,
        force_encoded_color: bool = ..., prefetch: int = ..., lbl_source: str = ...) -> None: ...

class CPMTransformationParameter(Message):
    stride: int
    max_rotate_degree: float
    visualize: bool
    crop_size_x: int
    crop_size_y: int
    scale_prob: float
    scale_min: float
    scale_max: float
    target_dist: float
    center_perterb_max: float
    do_clahe: bool
    num_parts: int
    np_in_lmdb: int
    bbox_norm_factor: float
    img_header: str
    force_color: bool
    force_gray: bool
    sigma: float
    sigma_center: float
    clahe_tile_size: float
    clahe_clip_limit: float
    num_total_augs: int
    aug_way: str
    gray: int
    transform_body_joint: bool
    scale: float
    mirror: bool
    crop_size: int
    mean_file: str
    mean_value: Scalars[float]
    scale_cvg: float
    max_cvg_len: int
    min_cvg_len: int
    opaque_coverage: bool
    coverage: str
    flip_prob: float
    def __init__(self, *, stride: int = ..., max_rotate_degree: float = ..., visualize: bool = ...,
        crop_size_x: int = ..., crop_size_y: int = ..., scale_prob: float = ..., scale_min: float = ...,
        scale_max: float = ..., target_dist: float = ..., center_perterb_max: float = ...,
        do_clahe: bool = ..., num_parts: int = ..., np_in_lmdb: int = ..., bbox_norm_factor: float = ...,
        img_header: str = ..., force_color: bool = ..., force_gray: bool = ..., sigma: float = ...,
        sigma_center: float = ..., clahe_tile_size: float = ..., clahe_clip_limit: float = ...,
        num_total_augs: int = ..., aug_way: str = ..., gray: int = ..., transform_body_joint: bool = ...,
        scale: float = ..., mirror: bool = ..., crop_size: int = ..., mean_file: str = ...,
        mean_value: Iterable[float] = ..., scale_cvg: float = ..., max_cvg_len: int = ...,
        min_cvg_len: int = ..., opaque_coverage: bool = ..., coverage: str = ...,
        flip_prob: float = ...) -> None: ...

class CPPLayerParameter(Message):
    layer: str
    param_str: str
    type: str
    def __init__(self, *, layer: str = ..., param_str: str = ..., type: str = ...) -> None: ...

class CropCenterParameter(Message):
    crop_size: Scalars[int]
    def __init__(self, *, crop_size: Iterable[int] = ...) -> None: ...

class CropPoolingParameter(Message):
    PoolMethod: Enum
    MAX: int
    pool: int
    def __init__(self, *, pool: int | str = ...) -> None: ...

class CrossEntropyLossParameter(Message):
    class_num: int
    def __init__(self, *, class_num: int = ...) -> None: ...

class CrossInputNeighborhoodDiffsParameter(Message):
    neighborhood_w: int
    neighborhood_h: int
    copy_padding: bool
    def __init__(self, *, neighborhood_w: int = ..., neighborhood_h: int = ...,
        copy_padding: bool = ...) -> None: ...

class CTCDecoderParameter(Message):
    blank_index: int
    ctc_merge_repeated: bool
    def __init__(self, *, blank_index: int = ..., ctc_merge_repeated: bool = ...) -> None: ...

class CtcLossParameter(Message):
    alphabet_size: int
    time_step: int
    blank_label: int
    def __init__(self, *, alphabet_size: int = ..., time_step: int = ..., blank_label: int = ...) -> None: ...

class CTCParameter(Message):
    Decoder: Enum
    best_path: int
    best_path_thres: int
    prefix_search: int
    threshold: float
    decode_type: int
    def __init__(self, *, threshold: float = ..., decode_type: int | str = ...) -> None: ...

class DataAlignParameter(Message):
    mode: int
    def __init__(self, *, mode: int = ...) -> None: ...

class DataAugmentParameter(Message):
    num_occlusions: int
    min_occlusion_radius: float
    max_occlusion_radius: float
    def __init__(self, *, num_occlusions: int = ..., min_occlusion_radius: float = ...,
        max_occlusion_radius: float = ...) -> None: ...

class DCTParameter(Message):
    window_size: int
    quant_level: float
    quant: bool
    def __init__(self, *, window_size: int = ..., quant_level: float = ..., quant: bool = ...) -> None: ...

class DecodeBBoxParameter(Message):
    gt_iou_thr: float
    def __init__(self, *, gt_iou_thr: float = ...) -> None: ...

class DecoderParameter(Message):
    nchannels: int
    total_region: int
    extract_label: bool
    def __init__(self, *, nchannels: int = ..., total_region: int = ...,
        extract_label: bool = ...) -> None: ...

class DeformableConvolutionParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    num_output: int
    bias_term: bool
    pad: Scalars[int]
    kernel_size: Scalars[int]
    group: int
    stride: Scalars[int]
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    axis: int
    force_nd_im2col: bool
    dilation: Scalars[int]
    deformable_group: int
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: Iterable[int] = ...,
        kernel_size: Iterable[int] = ..., group: int = ..., stride: Iterable[int] = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        pad_h: int = ..., pad_w: int = ..., kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ...,
        stride_w: int = ..., engine: int | str = ..., axis: int = ..., force_nd_im2col: bool = ...,
        dilation: Iterable[int] = ..., deformable_group: int = ...) -> None: ...

class DeformablePSROIPoolingParameter(Message):
    spatial_scale: float
    output_dim: int
    group_size: int
    pooled_size: int
    part_size: int
    sample_per_part: int
    trans_std: float
    no_trans: bool
    def __init__(self, *, spatial_scale: float = ..., output_dim: int = ..., group_size: int = ...,
        pooled_size: int = ..., part_size: int = ..., sample_per_part: int = ..., trans_std: float = ...,
        no_trans: bool = ...) -> None: ...

class DenseBlockParameter(Message):
    numTransition: int
    initChannel: int
    growthRate: int
    pad_h: int
    pad_w: int
    conv_verticalStride: int
    conv_horizentalStride: int
    filter_H: int
    filter_W: int
    Filter_Filler: FillerParameter
    BN_Scaler_Filler: FillerParameter
    BN_Bias_Filler: FillerParameter
    gpuIdx: int
    use_dropout: bool
    dropout_amount: float
    use_BC: bool
    BC_ultra_space_efficient: bool
    workspace_MB: int
    moving_average_fraction: float
    def __init__(self, *, numTransition: int = ..., initChannel: int = ..., growthRate: int = ...,
        pad_h: int = ..., pad_w: int = ..., conv_verticalStride: int = ..., conv_horizentalStride: int = ...,
        filter_H: int = ..., filter_W: int = ..., Filter_Filler: FillerParameter | Fields = ...,
        BN_Scaler_Filler: FillerParameter | Fields = ..., BN_Bias_Filler: FillerParameter | Fields = ...,
        gpuIdx: int = ..., use_dropout: bool = ..., dropout_amount: float = ..., use_BC: bool = ...,
        BC_ultra_space_efficient: bool = ..., workspace_MB: int = ...,
        moving_average_fraction: float = ...) -> None: ...

class DenseCRFParameter(Message):
    max_iter: int
    pos_xy_std: Scalars[float]
    pos_w: Scalars[float]
    bi_xy_std: Scalars[float]
    bi_rgb_std: Scalars[float]
    bi_w: Scalars[float]
    output_probability: bool
    def __init__(self, *, max_iter: int = ..., pos_xy_std: Iterable[float] = ...,
        pos_w: Iterable[float] = ..., bi_xy_std: Iterable[float] = ..., bi_rgb_std: Iterable[float] = ...,
        bi_w: Iterable[float] = ..., output_probability: bool = ...) -> None: ...

class DensecrfParameter(Message):
    x_gauss: float
    y_gauss: float
    wt_gauss: float
    x_bilateral: float
    y_bilateral: float
    r_bilateral: float
    g_bilateral: float
    b_bilateral: float
    wt_bilateral: float
    def __init__(self, *, x_gauss: float = ..., y_gauss: float = ..., wt_gauss: float = ...,
        x_bilateral: float = ..., y_bilateral: float = ..., r_bilateral: float = ...,
        g_bilateral: float = ..., b_bilateral: float = ..., wt_bilateral: float = ...) -> None: ...

class DenseFaceImageDataParameter(Message):
    source: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    mean_file: str
    root_folder: str
    mirror: bool
    is_color_clean: bool
    def __init__(self, *, source: str = ..., batch_size: int = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ..., is_color: bool = ..., mean_file: str = ...,
        root_folder: str = ..., mirror: bool = ..., is_color_clean: bool = ...) -> None: ...

class DenseImageDataParameter(Message):
    source: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    mean_file: str
    root_folder: str
    mirror: bool
    crop_width: int
    crop_height: int
    label_divide_factor: int
    def __init__(self, *, source: str = ..., batch_size: int = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ..., is_color: bool = ..., mean_file: str = ...,
        root_folder: str = ..., mirror: bool = ..., crop_width: int = ..., crop_height: int = ...,
        label_divide_factor: int = ...) -> None: ...

class DetectionAccuracyParameter(Message):
    cls_num: int
    coord_num: int
    field_h: int
    field_w: int
    downsample_rate: int
    top_k: int
    field_whr: float
    field_xyr: float
    bg_threshold: float
    objectness: bool
    def __init__(self, *, cls_num: int = ..., coord_num: int = ..., field_h: int = ..., field_w: int = ...,
        downsample_rate: int = ..., top_k: int = ..., field_whr: float = ..., field_xyr: float = ...,
        bg_threshold: float = ..., objectness: bool = ...) -> None: ...

class DetectionDataParameter(Message):
    source: str
    scale: float
    batch_size: int
    coord_num: int
    stride: Scalars[int]
    field_h: Scalars[int]
    field_w: Scalars[int]
    fg_threshold: float
    ignore_fg_threshold: float
    resize_width: int
    resize_height: int
    crop_width: int
    crop_height: int
    min_scale: float
    max_scale: float
    multiscale_prob: float
    min_whaspect: float
    max_whaspect: float
    short_size: int
    long_size: int
    min_gt_width: float
    min_gt_height: float
    shuffle: str
    output_gt_boxes: bool
    cache_images: bool
    root_folder: str
    distort_param: DistortionParameter
    resize_param: ResizeParameter
    resize_ratio: float
    crop_short_size: int
    crop_long_size: int
    low_scale_ratio: float
    high_scale_ratio: float
    anchor_ignore_margin_ratio: float
    anchor_ignore_iou_thr: float
    pickup_iou_thr: float
    mix_group_size: int
    template_ratio: Scalars[float]
    def __init__(self, *, source: str = ..., scale: float = ..., batch_size: int = ..., coord_num: int = ...,
        stride: Iterable[int] = ..., field_h: Iterable[int] = ..., field_w: Iterable[int] = ...,
        fg_threshold: float = ..., ignore_fg_threshold: float = ..., resize_width: int = ...,
        resize_height: int = ..., crop_width: int = ..., crop_height: int = ..., min_scale: float = ...,
        max_scale: float = ..., multiscale_prob: float = ..., min_whaspect: float = ...,
        max_whaspect: float = ..., short_size: int = ..., long_size: int = ..., min_gt_width: float = ...,
        min_gt_height: float = ..., shuffle: str = ..., output_gt_boxes: bool = ..., cache_images: bool = ...,
        root_folder: str = ..., distort_param: DistortionParameter | Fields = ...,
        resize_param: ResizeParameter | Fields = ..., resize_ratio: float = ..., crop_short_size: int = ...,
        crop_long_size: int = ..., low_scale_ratio: float = ..., high_scale_ratio: float = ...,
        anchor_ignore_margin_ratio: float = ..., anchor_ignore_iou_thr: float = ...,
        pickup_iou_thr: float = ..., mix_group_size: int = ...,
        template_ratio: Iterable[float] = ...) -> None: ...

class DetectionEvaluateParameter(Message):
    num_classes: int
    background_label_id: int
    overlap_threshold: float
    evaluate_difficult_gt: bool
    name_size_file: str
    resize_param: ResizeParameter
    use_polygon: bool
    def __init__(self, *, num_classes: int = ..., background_label_id: int = ...,
        overlap_threshold: float = ..., evaluate_difficult_gt: bool = ..., name_size_file: str = ...,
        resize_param: ResizeParameter | Fields = ..., use_polygon: bool = ...) -> None: ...

class DetectionGroupAccuracyParameter(Message):
    cls_num: int
    field_h: Scalars[int]
    field_w: Scalars[int]
    stride: int
    field_whr: float
    field_xyr: float
    bg_threshold: float
    objectness: bool
    def __init__(self, *, cls_num: int = ..., field_h: Iterable[int] = ..., field_w: Iterable[int] = ...,
        stride: int = ..., field_whr: float = ..., field_xyr: float = ..., bg_threshold: float = ...,
        objectness: bool = ...) -> None: ...

class DetectionGroupLossParameter(Message):
    cls_num: int
    field_h: Scalars[int]
    field_w: Scalars[int]
    stride: int
    field_whr: float
    field_xyr: float
    bg_threshold: float
    bg_multiple: int
    neg_mining_type: str
    neg_ranking_type: str
    min_num_neg: int
    objectness: bool
    batch_size: int
    pos_neg_weighted: bool
    bbox_loss_type: str
    def __init__(self, *, cls_num: int = ..., field_h: Iterable[int] = ..., field_w: Iterable[int] = ...,
        stride: int = ..., field_whr: float = ..., field_xyr: float = ..., bg_threshold: float = ...,
        bg_multiple: int = ..., neg_mining_type: str = ..., neg_ranking_type: str = ...,
        min_num_neg: int = ..., objectness: bool = ..., batch_size: int = ..., pos_neg_weighted: bool = ...,
        bbox_loss_type: str = ...) -> None: ...

class DetectionLossParameter(Message):
    side: int
    num_class: int
    num_object: int
    object_scale: float
    noobject_scale: float
    class_scale: float
    coord_scale: float
    sqrt: bool
    constriant: bool
    bg_threshold: float
    bg_multiple: int
    sample_mode: str
    objectness: bool
    iou_weighted: bool
    pos_neg_weighted: bool
    cls_num: int
    coord_num: int
    field_h: int
    field_w: int
    downsample_rate: int
    bb_smooth: bool
    field_whr: float
    field_xyr: float
    def __init__(self, *, side: int = ..., num_class: int = ..., num_object: int = ...,
        object_scale: float = ..., noobject_scale: float = ..., class_scale: float = ...,
        coord_scale: float = ..., sqrt: bool = ..., constriant: bool = ..., bg_threshold: float = ...,
        bg_multiple: int = ..., sample_mode: str = ..., objectness: bool = ..., iou_weighted: bool = ...,
        pos_neg_weighted: bool = ..., cls_num: int = ..., coord_num: int = ..., field_h: int = ...,
        field_w: int = ..., downsample_rate: int = ..., bb_smooth: bool = ..., field_whr: float = ...,
        field_xyr: float = ...) -> None: ...

class DetectionOutputParameter(Message):
    num_classes: int
    share_location: bool
    background_label_id: int
    nms_param: NonMaximumSuppressionParameter
    save_output_param: SaveOutputParameter
    code_type: int
    keep_top_k: int
    variance_encoded_in_target: bool
    confidence_threshold: float
    visualize: bool
    visualize_threshold: float
    save_file: str
    use_polygon: bool
    objectness_score: float
    input_height: int
    input_width: int
    normalized: bool
    coords: int
    nms_threshold: float
    biases: Scalars[float]
    label_map_file: str
    side: int
    classes: int
    num_box: int
    def __init__(self, *, num_classes: int = ..., share_location: bool = ..., background_label_id: int = ...,
        nms_param: NonMaximumSuppressionParameter | Fields = ...,
        save_output_param: SaveOutputParameter | Fields = ..., code_type: int | str = ...,
        keep_top_k: int = ..., variance_encoded_in_target: bool = ..., confidence_threshold: float = ...,
        visualize: bool = ..., visualize_threshold: float = ..., save_file: str = ...,
        use_polygon: bool = ..., objectness_score: float = ..., input_height: int = ...,
        input_width: int = ..., normalized: bool = ..., coords: int = ..., nms_threshold: float = ...,
        biases: Iterable[float] = ..., label_map_file: str = ..., side: int = ..., classes: int = ...,
        num_box: int = ...) -> None: ...

class DetectionOutputPboxParameter(Message):
    num_classes: int
    share_location: bool
    background_label_id: int
    nms_param: NonMaximumSuppressionParameter
    save_output_param: SaveOutputParameter
    keep_top_k: int
    variance_encoded_in_target: bool
    confidence_threshold: float
    visualize: bool
    visualize_threshold: float
    save_file: str
    def __init__(self, *, num_classes: int = ..., share_location: bool = ..., background_label_id: int = ...,
        nms_param: NonMaximumSuppressionParameter | Fields = ...,
        save_output_param: SaveOutputParameter | Fields = ..., keep_top_k: int = ...,
        variance_encoded_in_target: bool = ..., confidence_threshold: float = ..., visualize: bool = ...,
        visualize_threshold: float = ..., save_file: str = ...) -> None: ...

class DetectionPboxEvaluateParameter(Message):
    num_classes: int
    background_label_id: int
    overlap_threshold: float
    evaluate_difficult_gt: bool
    name_size_file: str
    resize_param: ResizeParameter
    def __init__(self, *, num_classes: int = ..., background_label_id: int = ...,
        overlap_threshold: float = ..., evaluate_difficult_gt: bool = ..., name_size_file: str = ...,
        resize_param: ResizeParameter | Fields = ...) -> None: ...

class DetectmapDataParameter(Message):
    segmentation: bool
    multfact: int
    num_channels: int
    batchsize: int
    root_img_dir: str
    random_crop: bool
    sample_per_cluster: bool
    labelinds: str
    source: str
    meanfile: str
    crop_meanfile: str
    cropsize: int
    outsize: int
    scale: float
    label_width: int
    label_height: int
    dont_flip_first: bool
    angle_max: float
    flip_joint_labels: bool
    detect_radius: int
    def __init__(self, *, segmentation: bool = ..., multfact: int = ..., num_channels: int = ...,
        batchsize: int = ..., root_img_dir: str = ..., random_crop: bool = ...,
        sample_per_cluster: bool = ..., labelinds: str = ..., source: str = ..., meanfile: str = ...,
        crop_meanfile: str = ..., cropsize: int = ..., outsize: int = ..., scale: float = ...,
        label_width: int = ..., label_height: int = ..., dont_flip_first: bool = ..., angle_max: float = ...,
        flip_joint_labels: bool = ..., detect_radius: int = ...) -> None: ...

class DetectNetAugmentationParameter(Message):
    crop_prob: float
    shift_x: int
    shift_y: int
    scale_prob: float
    scale_min: float
    scale_max: float
    flip_prob: float
    rotation_prob: float
    max_rotate_degree: float
    hue_rotation_prob: float
    hue_rotation: float
    desaturation_prob: float
    desaturation_max: float
    resize_param: ResizeParameter
    noise_param: NoiseParameter
    emit_constraint: EmitConstraint
    distort_param: DistortionParameter
    expand_param: ExpansionParameter
    def __init__(self, *, crop_prob: float = ..., shift_x: int = ..., shift_y: int = ...,
        scale_prob: float = ..., scale_min: float = ..., scale_max: float = ..., flip_prob: float = ...,
        rotation_prob: float = ..., max_rotate_degree: float = ..., hue_rotation_prob: float = ...,
        hue_rotation: float = ..., desaturation_prob: float = ..., desaturation_max: float = ...,
        resize_param: ResizeParameter | Fields = ..., noise_param: NoiseParameter | Fields = ...,
        emit_constraint: EmitConstraint | Fields = ..., distort_param: DistortionParameter | Fields = ...,
        expand_param: ExpansionParameter | Fields = ...) -> None: ...

class DetectNetGroundTruthParameter(Message):
    CoverageType: Enum
    RECTANGULAR: int
    GridboxType: Enum
    GRIDBOX_MAX: int
    GRIDBOX_MIN: int
    stride: int
    scale_cvg: float
    gridbox_type: int
    max_cvg_len: int
    min_cvg_len: int
    coverage_type: int
    image_size_x: int
    image_size_y: int
    obj_norm: bool
    crop_bboxes: bool
    object_class: Messages[ClassMapping]
    def __init__(self, *, stride: int = ..., scale_cvg: float = ..., gridbox_type: int | str = ...,
        max_cvg_len: int = ..., min_cvg_len: int = ..., coverage_type: int | str = ...,
        image_size_x: int = ..., image_size_y: int = ..., obj_norm: bool = ..., crop_bboxes: bool = ...,
        object_class: Iterable[ClassMapping | Fields] = ...) -> None: ...

class DiceCoefLossParameter(Message):
    smooth: float
    def __init__(self, *, smooth: float = ...) -> None: ...

class DistLossParameter(Message):
    ignore_label: int
    alpha: float
    beta: float
    def __init__(self, *, ignore_label: int = ..., alpha: float = ..., beta: float = ...) -> None: ...

class DistortionParameter(Message):
    brightness_prob: float
    brightness_delta: float
    contrast_prob: float
    contrast_lower: float
    contrast_upper: float
    hue_prob: float
    hue_delta: float
    saturation_prob: float
    saturation_lower: float
    saturation_upper: float
    random_order_prob: float
    gaussian_prob: float
    gaussian_size_min: int
    gaussian_size_max: int
    gaussian_sigma: float
    def __init__(self, *, brightness_prob: float = ..., brightness_delta: float = ...,
        contrast_prob: float = ..., contrast_lower: float = ..., contrast_upper: float = ...,
        hue_prob: float = ..., hue_delta: float = ..., saturation_prob: float = ...,
        saturation_lower: float = ..., saturation_upper: float = ..., random_order_prob: float = ...,
        gaussian_prob: float = ..., gaussian_size_min: int = ..., gaussian_size_max: int = ...,
        gaussian_sigma: float = ...) -> None: ...

class DivisionParameter(Message):
    width: int
    height: int
    xcoord: Scalars[int]
    ycoord: Scalars[int]
    def __init__(self, *, width: int = ..., height: int = ..., xcoord: Iterable[int] = ...,
        ycoord: Iterable[int] = ...) -> None: ...

class DNSConvolutionParameter(Message):
    gamma: float
    power: float
    c_rate: float
    iter_stop: float
    weight_mask_filler: FillerParameter
    bias_mask_filler: FillerParameter
    alpha_low: float
    alpha_high: float
    def __init__(self, *, gamma: float = ..., power: float = ..., c_rate: float = ..., iter_stop: float = ...,
        weight_mask_filler: FillerParameter | Fields = ..., bias_mask_filler: FillerParameter | Fields = ...,
        alpha_low: float = ..., alpha_high: float = ...) -> None: ...

class DNSInnerProductParameter(Message):
    gamma: float
    power: float
    c_rate: float
    iter_stop: float
    weight_mask_filler: FillerParameter
    bias_mask_filler: FillerParameter
    alpha_low: float
    alpha_high: float
    def __init__(self, *, gamma: float = ..., power: float = ..., c_rate: float = ..., iter_stop: float = ...,
        weight_mask_filler: FillerParameter | Fields = ..., bias_mask_filler: FillerParameter | Fields = ...,
        alpha_low: float = ..., alpha_high: float = ...) -> None: ...

class DocDataParameter(Message):
    Backend: Enum
    LEVELDB: int
    LMDB: int
    sources: Scalars[str]
    batch_size: int
    backend: int
    rand_advance_skip: int
    seed: int
    def __init__(self, *, sources: Iterable[str] = ..., batch_size: int = ..., backend: int | str = ...,
        rand_advance_skip: int = ..., seed: int = ...) -> None: ...

class DomainTransformParameter(Message):
    num_iter: int
    spatial_sigma: float
    range_sigma: float
    min_weight: float
    def __init__(self, *, num_iter: int = ..., spatial_sigma: float = ..., range_sigma: float = ...,
        min_weight: float = ...) -> None: ...

class DominantChannelParameter(Message):
    top_k: int
    def __init__(self, *, top_k: int = ...) -> None: ...

class DotProductParameter(Message):
    Mode: Enum
    VV: int
    VM: int
    MV: int
    MM: int
    mode: int
    def __init__(self, *, mode: int | str = ...) -> None: ...

class DownsampleParameter(Message):
    top_height: int
    top_width: int
    def __init__(self, *, top_height: int = ..., top_width: int = ...) -> None: ...

class DownSamplingParameter(Message):
    DownSamplingType: Enum
    NONE: int
    VOTE: int
    AVERAGE: int
    type: int
    spatial_factor: int
    temporal_factor: int
    def __init__(self, *, type: int | str = ..., spatial_factor: int = ...,
        temporal_factor: int = ...) -> None: ...
