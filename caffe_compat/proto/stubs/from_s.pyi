# Written by tools/make_stubs.py; change that file or the schema, not this one.
# fmt: off
# ruff: noqa
from collections.abc import Iterable
from caffe_compat.proto.stubs.base import (Enum, Fields, Message, Messages, Scalars)
from caffe_compat.proto.stubs.from_a import (BlockParameter)
from caffe_compat.proto.stubs.from_d import (HardTripletParameter)
from caffe_compat.proto.stubs.from_m import (OxfordTripletParameter)
from caffe_compat.proto.stubs.stock import (FillerParameter)

class ScaleTanHParameter(Message):
    init_scale: float
    step_size: int
    gamma: float
    power: float
    def __init__(self, *, init_scale: float = ..., step_size: int = ..., gamma: float = ...,
        power: float = ...) -> None: ...

class Scene3DDataParameter(Message):
    data_root: str
    file_list: str
    grid_size: Scalars[int]
    batch_size: Scalars[int]
    encode_type: int
    scale: int
    num_categories: int
    context_pad: int
    def __init__(self, *, data_root: str = ..., file_list: str = ..., grid_size: Iterable[int] = ...,
        batch_size: Iterable[int] = ..., encode_type: int = ..., scale: int = ..., num_categories: int = ...,
        context_pad: int = ...) -> None: ...

class SegAccuracyParameter(Message):
    AccuracyMetric: Enum
    PixelAccuracy: int
    ClassAccuracy: int
    PixelIOU: int
    metric: int
    ignore_label: Scalars[int]
    reset: bool
    test_iter: int
    def __init__(self, *, metric: int | str = ..., ignore_label: Iterable[int] = ..., reset: bool = ...,
        test_iter: int = ...) -> None: ...

class SegDataParameter(Message):
    source: str
    root_dir: str
    shuffle: bool
    balance: bool
    new_height: int
    new_width: int
    crop_size: int
    stride: int
    num_class: int
    image_root_folder: str
    label_root_folder: str
    mirror: bool
    scale: float
    batch_size: int
    mean_value: Scalars[float]
    def __init__(self, *, source: str = ..., root_dir: str = ..., shuffle: bool = ..., balance: bool = ...,
        new_height: int = ..., new_width: int = ..., crop_size: int = ..., stride: int = ...,
        num_class: int = ..., image_root_folder: str = ..., label_root_folder: str = ..., mirror: bool = ...,
        scale: float = ..., batch_size: int = ..., mean_value: Iterable[float] = ...) -> None: ...

class SegmentationEvaluateParameter(Message):
    num_classes: int
    threshold: float
    def __init__(self, *, num_classes: int = ..., threshold: float = ...) -> None: ...

class SegParameter(Message):
    method: float
    k: int
    min_size: int
    bbox_extension: float
    def __init__(self, *, method: float = ..., k: int = ..., min_size: int = ...,
        bbox_extension: float = ...) -> None: ...

class SelectSegBinaryParameter(Message):
    cls_label_base: int
    def __init__(self, *, cls_label_base: int = ...) -> None: ...

class SeLUDropoutParameter(Message):
    dropout_ratio: float
    alpha: float
    def __init__(self, *, dropout_ratio: float = ..., alpha: float = ...) -> None: ...

class SeLUParameter(Message):
    alpha: float
    def __init__(self, *, alpha: float = ...) -> None: ...

class SequenceAccuracyParameter(Message):
    blank_label: int
    accuracy_type: int
    def __init__(self, *, blank_label: int = ..., accuracy_type: int = ...) -> None: ...

class SetLoss2Parameter(Message):
    alpha: float
    def __init__(self, *, alpha: float = ...) -> None: ...

class SetLossParameter(Message):
    forget_ratio: float
    def __init__(self, *, forget_ratio: float = ...) -> None: ...

class SFParameter(Message):
    AdditionMethod: Enum
    CUBIC: int
    PLAIN: int
    GMM: int
    method: int
    filler: Messages[FillerParameter]
    num_gaussian: int
    mu1: float
    mu2: float
    is_projection: bool
    def __init__(self, *, method: int | str = ..., filler: Iterable[FillerParameter | Fields] = ...,
        num_gaussian: int = ..., mu1: float = ..., mu2: float = ..., is_projection: bool = ...) -> None: ...

class ShapeTermParameter(Message):
    detection_box_input_dir: str
    init_from_files: bool
    init_prefix: str
    num_files: int
    def __init__(self, *, detection_box_input_dir: str = ..., init_from_files: bool = ...,
        init_prefix: str = ..., num_files: int = ...) -> None: ...

class ShuffleChannelParameter(Message):
    group: int
    def __init__(self, *, group: int = ...) -> None: ...

class SimilarityLossParameter(Message):
    alpha: float
    beta: float
    cat_per_iter: float
    imagenetsim: float
    simpath: str
    def __init__(self, *, alpha: float = ..., beta: float = ..., cat_per_iter: float = ...,
        imagenetsim: float = ..., simpath: str = ...) -> None: ...

class SimilarityParameter(Message):
    SimilarityFunction: Enum
    CONVOLUTION: int
    L1: int
    L2: int
    mode: int
    num_instances: int
    bias_term: bool
    block_param: BlockParameter
    template_filler: FillerParameter
    bias_filler: FillerParameter
    weight_filler: FillerParameter
    unsupervised_init: UnsupervisedInitialization
    normalization_term: bool
    normalization_term_fudge: float
    normalize_patches: bool
    normalization_fudge_factor: float
    normalize_variance: bool
    use_log_space_weight_param: bool
    ignore_nan_input: bool
    similarity_function: int
    def __init__(self, *, mode: int = ..., num_instances: int = ..., bias_term: bool = ...,
        block_param: BlockParameter | Fields = ..., template_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., weight_filler: FillerParameter | Fields = ...,
        unsupervised_init: UnsupervisedInitialization | Fields = ..., normalization_term: bool = ...,
        normalization_term_fudge: float = ..., normalize_patches: bool = ...,
        normalization_fudge_factor: float = ..., normalize_variance: bool = ...,
        use_log_space_weight_param: bool = ..., ignore_nan_input: bool = ...,
        similarity_function: int | str = ...) -> None: ...

class Slice(Message):
    dim: Scalars[int]
    stride: Scalars[int]
    offset: Scalars[int]
    def __init__(self, *, dim: Iterable[int] = ..., stride: Iterable[int] = ...,
        offset: Iterable[int] = ...) -> None: ...

class SliceLabelParameter(Message):
    num: int
    def __init__(self, *, num: int = ...) -> None: ...

class SliceMapParameter(Message):
    y_begin: int
    y_end: int
    x_begin: int
    x_end: int
    def __init__(self, *, y_begin: int = ..., y_end: int = ..., x_begin: int = ...,
        x_end: int = ...) -> None: ...

class SlicingPatameter(Message):
    coefficient_len: int
    depth_d: float
    scale_x: float
    scale_y: float
    offset_x: int
    offset_y: int
    offset_z: int
    def __init__(self, *, coefficient_len: int = ..., depth_d: float = ..., scale_x: float = ...,
        scale_y: float = ..., offset_x: int = ..., offset_y: int = ..., offset_z: int = ...) -> None: ...

class SlidingWindowParameter(Message):
    window_h: int
    window_w: int
    stride_h: int
    stride_w: int
    def __init__(self, *, window_h: int = ..., window_w: int = ..., stride_h: int = ...,
        stride_w: int = ...) -> None: ...

class SmoothL1LossParameter(Message):
    sigma: float
    threshold: float
    def __init__(self, *, sigma: float = ..., threshold: float = ...) -> None: ...

class SmoothL1Parameter(Message):
    turn_point: float
    def __init__(self, *, turn_point: float = ...) -> None: ...

class SmoothMarginInnerProductParameter(Message):
    SmoothMarginType: Enum
    SINGLE: int
    DOUBLE: int
    TRIPLE: int
    QUADRUPLE: int
    num_output: int
    type: int
    weight_filler: FillerParameter
    axis: int
    base: float
    gamma: float
    power: float
    iteration: int
    lambda_min: float
    def __init__(self, *, num_output: int = ..., type: int | str = ...,
        weight_filler: FillerParameter | Fields = ..., axis: int = ..., base: float = ..., gamma: float = ...,
        power: float = ..., iteration: int = ..., lambda_min: float = ...) -> None: ...

class SoftContrastiveParameter(Message):
    positive_margin: float
    negative_margin: float
    positive_weight: float
    negative_weight: float
    exponent_scale: float
    square: bool
    def __init__(self, *, positive_margin: float = ..., negative_margin: float = ...,
        positive_weight: float = ..., negative_weight: float = ..., exponent_scale: float = ...,
        square: bool = ...) -> None: ...

class SoftmaxLossParameter(Message):
    ignore_label: Scalars[int]
    weight_source: str
    def __init__(self, *, ignore_label: Iterable[int] = ..., weight_source: str = ...) -> None: ...

class SoftmaxNoisyLabelLossParameter(Message):
    update_noise_lr: float
    matrix_c_filler: FillerParameter
    source: str
    def __init__(self, *, update_noise_lr: float = ..., matrix_c_filler: FillerParameter | Fields = ...,
        source: str = ...) -> None: ...

class SoftmaxPosNegWithLossParameter(Message):
    pos_weight: float
    neg_weight: float
    def __init__(self, *, pos_weight: float = ..., neg_weight: float = ...) -> None: ...

class SoftmaxWithLossVecParameter(Message):
    no_softmax: bool
    smooth_L1: bool
    cross_entropy: bool
    def __init__(self, *, no_softmax: bool = ..., smooth_L1: bool = ...,
        cross_entropy: bool = ...) -> None: ...

class SoftmaxWithSphereLossParameter(Message):
    bandwidth: int
    sigma: float
    def __init__(self, *, bandwidth: int = ..., sigma: float = ...) -> None: ...

class SoftmaxWithViewLossParameter(Message):
    bandwidth: int
    sigma: float
    pos_weight: float
    neg_weight: float
    period: int
    def __init__(self, *, bandwidth: int = ..., sigma: float = ..., pos_weight: float = ...,
        neg_weight: float = ..., period: int = ...) -> None: ...

class SoftTruncationParameter(Message):
    c: float
    def __init__(self, *, c: float = ...) -> None: ...

class SortParameter(Message):
    axis: int
    def __init__(self, *, axis: int = ...) -> None: ...

class SparseHypercolumnExtractorParameter(Message):
    scale: Scalars[float]
    offset_height: Scalars[float]
    offset_width: Scalars[float]
    activation_mult: Scalars[float]
    def __init__(self, *, scale: Iterable[float] = ..., offset_height: Iterable[float] = ...,
        offset_width: Iterable[float] = ..., activation_mult: Iterable[float] = ...) -> None: ...

class SparsifyParameter(Message):
    thre: float
    coef: float
    def __init__(self, *, thre: float = ..., coef: float = ...) -> None: ...

class SparsityLossParameter(Message):
    alpha: float
    def __init__(self, *, alpha: float = ...) -> None: ...

class SpatialDropoutParameter(Message):
    dropout_ratio: float
    def __init__(self, *, dropout_ratio: float = ...) -> None: ...

class SpatialTransformerLossParameter(Message):
    top_height: int
    top_width: int
    def __init__(self, *, top_height: int = ..., top_width: int = ...) -> None: ...

class SpatialTransformerParameter(Message):
    transform_type: str
    sampler_type: str
    output_H: int
    output_W: int
    to_compute_dU: bool
    theta_1_1: float
    theta_1_2: float
    theta_1_3: float
    theta_2_1: float
    theta_2_2: float
    theta_2_3: float
    debug_info: bool
    transformer_type: str
    top_height: int
    top_width: int
    theta_num: int
    first_bottom_diff: bool
    def __init__(self, *, transform_type: str = ..., sampler_type: str = ..., output_H: int = ...,
        output_W: int = ..., to_compute_dU: bool = ..., theta_1_1: float = ..., theta_1_2: float = ...,
        theta_1_3: float = ..., theta_2_1: float = ..., theta_2_2: float = ..., theta_2_3: float = ...,
        debug_info: bool = ..., transformer_type: str = ..., top_height: int = ..., top_width: int = ...,
        theta_num: int = ..., first_bottom_diff: bool = ...) -> None: ...

class SpliceParameter(Message):
    xcoord: Scalars[int]
    ycoord: Scalars[int]
    def __init__(self, *, xcoord: Iterable[int] = ..., ycoord: Iterable[int] = ...) -> None: ...

class SplitMergeParameter(Message):
    group_num: int
    axis: int
    group: Scalars[str]
    def __init__(self, *, group_num: int = ..., axis: int = ..., group: Iterable[str] = ...) -> None: ...

class SplitParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    MKL2017: int
    MKLDNN: int
    engine: int
    channel_out: Scalars[float]
    def __init__(self, *, engine: int | str = ..., channel_out: Iterable[float] = ...) -> None: ...

class spLmeLossParameter(Message):
    margin: float
    version: str
    sp_margin: float
    inner_margin: float
    verbose: bool
    def __init__(self, *, margin: float = ..., version: str = ..., sp_margin: float = ...,
        inner_margin: float = ..., verbose: bool = ...) -> None: ...

class SquashParameter(Message):
    capsule_dim: int
    a: float
    def __init__(self, *, capsule_dim: int = ..., a: float = ...) -> None: ...

class SSDDataParameter(Message):
    folder: str
    batch_size: int
    mean_value: Scalars[float]
    scale: float
    height: int
    width: int
    is_color: bool
    positive_ratio: int
    negitive_ratio: int
    minsize_width: int
    minsize_height: int
    min_pos_size: int
    max_pos_acc: float
    labelmap_file: str
    debug_image: bool
    def __init__(self, *, folder: str = ..., batch_size: int = ..., mean_value: Iterable[float] = ...,
        scale: float = ..., height: int = ..., width: int = ..., is_color: bool = ...,
        positive_ratio: int = ..., negitive_ratio: int = ..., minsize_width: int = ...,
        minsize_height: int = ..., min_pos_size: int = ..., max_pos_acc: float = ...,
        labelmap_file: str = ..., debug_image: bool = ...) -> None: ...

class SSDParameter(Message):
    cate_axis: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    debug_info: bool
    constrain_ip_sum1_rate: float
    constrain_ip_monotonic_rate: float
    def __init__(self, *, cate_axis: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., debug_info: bool = ...,
        constrain_ip_sum1_rate: float = ..., constrain_ip_monotonic_rate: float = ...) -> None: ...

class SSIMLossParameter(Message):
    kernel_size: int
    stride: int
    c1: float
    c2: float
    def __init__(self, *, kernel_size: int = ..., stride: int = ..., c1: float = ...,
        c2: float = ...) -> None: ...

class StdPseudoLabelEntropyLossParameter(Message):
    std_margin_: float
    alpha: float
    class_num: int
    beta: float
    def __init__(self, *, std_margin_: float = ..., alpha: float = ..., class_num: int = ...,
        beta: float = ...) -> None: ...

class STLossParameter(Message):
    output_H: int
    output_W: int
    def __init__(self, *, output_H: int = ..., output_W: int = ...) -> None: ...

class StructureMeasureParameter(Message):
    test_iter: int
    def __init__(self, *, test_iter: int = ...) -> None: ...

class SubpixelDownParameter(Message):
    downsample: int
    def __init__(self, *, downsample: int = ...) -> None: ...

class SubpixelUpParameter(Message):
    upsample: int
    def __init__(self, *, upsample: int = ...) -> None: ...

class SubRegionParameter(Message):
    region_height: int
    region_width: int
    data_height: int
    data_width: int
    as_dim: int
    def __init__(self, *, region_height: int = ..., region_width: int = ..., data_height: int = ...,
        data_width: int = ..., as_dim: int = ...) -> None: ...

class SubtractionParameter(Message):
    mean_file: str
    def __init__(self, *, mean_file: str = ...) -> None: ...

class SumLossParameter(Message):
    use_labeled_data: bool
    def __init__(self, *, use_labeled_data: bool = ...) -> None: ...

class SumPoolingParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    SUM: int
    pool: int
    kernel_size: int
    stride: int
    pad: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    engine: int
    global_pooling: bool
    def __init__(self, *, pool: int | str = ..., kernel_size: int = ..., stride: int = ..., pad: int = ...,
        kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ..., stride_w: int = ..., pad_h: int = ...,
        pad_w: int = ..., engine: int | str = ..., global_pooling: bool = ...) -> None: ...

class SuperpixelPoolingParameter(Message):
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    pool: int
    weight: float
    def __init__(self, *, pool: int | str = ..., weight: float = ...) -> None: ...

class SymmetricRectifyParameter(Message):
    filler: FillerParameter
    channel_shared: bool
    thre_decay: float
    def __init__(self, *, filler: FillerParameter | Fields = ..., channel_shared: bool = ...,
        thre_decay: float = ...) -> None: ...

class TilingParameter(Message):
    tile_dim: int
    def __init__(self, *, tile_dim: int = ...) -> None: ...

class TopParameter(Message):
    TypeWord: Enum
    RAW_IMAGE: int
    STRING: int
    ENCODED_IMAGE_WITH_DIM: int
    INT: int
    INT_ARRAY: int
    name: str
    type: int
    channels: int
    height: int
    width: int
    transform_param: TransformParameter
    out_channels: int
    out_height: int
    out_width: int
    sample_num_axes: int
    transpose: bool
    def __init__(self, *, name: str = ..., type: int | str = ..., channels: int = ..., height: int = ...,
        width: int = ..., transform_param: TransformParameter | Fields = ..., out_channels: int = ...,
        out_height: int = ..., out_width: int = ..., sample_num_axes: int = ...,
        transpose: bool = ...) -> None: ...

class TransferParameter(Message):
    detection_box_input_dir: str
    no_detections: bool
    copy_bg: bool
    force_cpu: bool
    def __init__(self, *, detection_box_input_dir: str = ..., no_detections: bool = ..., copy_bg: bool = ...,
        force_cpu: bool = ...) -> None: ...

class TransformParameter(Message):
    scale: float
    mirror: bool
    crop_size: int
    mean_value: Scalars[float]
    def __init__(self, *, scale: float = ..., mirror: bool = ..., crop_size: int = ...,
        mean_value: Iterable[float] = ...) -> None: ...

class TranslationParameter(Message):
    shift_x: int
    shift_y: int
    out_of_bounds_value: float
    random: bool
    def __init__(self, *, shift_x: int = ..., shift_y: int = ..., out_of_bounds_value: float = ...,
        random: bool = ...) -> None: ...

class TransposeParameter(Message):
    dim: Scalars[int]
    transpose_axis: int
    def __init__(self, *, dim: Iterable[int] = ..., transpose_axis: int = ...) -> None: ...

class TripletClipHingeLossParameter(Message):
    dim: int
    margin: float
    frame_num: int
    lamda: float
    def __init__(self, *, dim: int = ..., margin: float = ..., frame_num: int = ...,
        lamda: float = ...) -> None: ...

class TripletConstraintRankingLossParameter(Message):
    Lamda: float
    Scale: float
    CodeLength: int
    def __init__(self, *, Lamda: float = ..., Scale: float = ..., CodeLength: int = ...) -> None: ...

class TripletDataParameter(Message):
    strategy: str
    inputFeatures: str
    serialize: bool
    outputClasses: bool
    hard_triplet_param: HardTripletParameter
    oxford_triplet_param: OxfordTripletParameter
    def __init__(self, *, strategy: str = ..., inputFeatures: str = ..., serialize: bool = ...,
        outputClasses: bool = ..., hard_triplet_param: HardTripletParameter | Fields = ...,
        oxford_triplet_param: OxfordTripletParameter | Fields = ...) -> None: ...

class TripletLossParameter(Message):
    margin: float
    lamda: float
    mu: float
    sample: bool
    sim_type: str
    num_negatives: int
    use_pair: int
    losstype: int
    scale: float
    group_size: int
    def __init__(self, *, margin: float = ..., lamda: float = ..., mu: float = ..., sample: bool = ...,
        sim_type: str = ..., num_negatives: int = ..., use_pair: int = ..., losstype: int = ...,
        scale: float = ..., group_size: int = ...) -> None: ...

class TripletRankingHingeLossParameter(Message):
    dim: int
    margin: float
    def __init__(self, *, dim: int = ..., margin: float = ...) -> None: ...

class TripletSelectionParamter(Message):
    max_num: int
    thr: float
    def __init__(self, *, max_num: int = ..., thr: float = ...) -> None: ...

class TriVerLossParameter(Message):
    lamda: float
    k: float
    def __init__(self, *, lamda: float = ..., k: float = ...) -> None: ...

class TRTParameter(Message):
    TRTMode: Enum
    FP32: int
    FP16: int
    INT8: int
    trt_mode: int
    top_k: int
    deploy: str
    model: str
    deploy_outputs: Scalars[str]
    calibrator: str
    def __init__(self, *, trt_mode: int | str = ..., top_k: int = ..., deploy: str = ..., model: str = ...,
        deploy_outputs: Iterable[str] = ..., calibrator: str = ...) -> None: ...

class TruncationParameter(Message):
    lower_bound: float
    upper_bound: float
    truncation_min: float
    truncation_max: float
    def __init__(self, *, lower_bound: float = ..., upper_bound: float = ..., truncation_min: float = ...,
        truncation_max: float = ...) -> None: ...

class TruncParameter(Message):
    scale: float
    def __init__(self, *, scale: float = ...) -> None: ...

class TwoImageDataParameter(Message):
    source: str
    batch_size: int
    shuffle: bool
    root_folder: str
    first_is_color: bool
    second_is_color: bool
    def __init__(self, *, source: str = ..., batch_size: int = ..., shuffle: bool = ...,
        root_folder: str = ..., first_is_color: bool = ..., second_is_color: bool = ...) -> None: ...

class TxtFeatDataParameter(Message):
    source: str
    mean_file: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    feat_dim: int
    b_binary_file: bool
    root_folder: str
    dislab_alpha: float
    def __init__(self, *, source: str = ..., mean_file: str = ..., batch_size: int = ...,
        rand_skip: int = ..., shuffle: bool = ..., feat_dim: int = ..., b_binary_file: bool = ...,
        root_folder: str = ..., dislab_alpha: float = ...) -> None: ...

class UltinousTransformationParameter(Message):
    luminanceMinScale: float
    luminanceMaxScale: float
    saturationMinScale: float
    saturationMaxScale: float
    verticalMinScale: float
    verticalMaxScale: float
    horizontalMinScale: float
    horizontalMaxScale: float
    horizontalMinShear: float
    horizontalMaxShear: float
    verticalMinShear: float
    verticalMaxShear: float
    minRotation: float
    maxRotation: float
    horizontalTranslation: float
    verticalTranslation: float
    numOcclusions: int
    minOcclusionRadius: int
    maxOcclusionRadius: int
    padTop: int
    padBottom: int
    padLeft: int
    padRight: int
    uniformNoiseStrength: int
    minBlurSigma: float
    maxBlurSigma: float
    cropHeight: int
    cropWidth: int
    def __init__(self, *, luminanceMinScale: float = ..., luminanceMaxScale: float = ...,
        saturationMinScale: float = ..., saturationMaxScale: float = ..., verticalMinScale: float = ...,
        verticalMaxScale: float = ..., horizontalMinScale: float = ..., horizontalMaxScale: float = ...,
        horizontalMinShear: float = ..., horizontalMaxShear: float = ..., verticalMinShear: float = ...,
        verticalMaxShear: float = ..., minRotation: float = ..., maxRotation: float = ...,
        horizontalTranslation: float = ..., verticalTranslation: float = ..., numOcclusions: int = ...,
        minOcclusionRadius: int = ..., maxOcclusionRadius: int = ..., padTop: int = ..., padBottom: int = ...,
        padLeft: int = ..., padRight: int = ..., uniformNoiseStrength: int = ..., minBlurSigma: float = ...,
        maxBlurSigma: float = ..., cropHeight: int = ..., cropWidth: int = ...) -> None: ...

class UncertaintyLossParameter(Message):
    uncertainty_weight: float
    def __init__(self, *, uncertainty_weight: float = ...) -> None: ...

class UniformLossParameter(Message):
    step_size: int
    alpha: float
    def __init__(self, *, step_size: int = ..., alpha: float = ...) -> None: ...

class UniqueLabelParameter(Message):
    max_labels: int
    ignore_label: Scalars[int]
    force_label: Scalars[float]
    def __init__(self, *, max_labels: int = ..., ignore_label: Iterable[int] = ...,
        force_label: Iterable[float] = ...) -> None: ...

class UnlabeledMatchingParameter(Message):
    queue_size: int
    def __init__(self, *, queue_size: int = ...) -> None: ...

class UnpoolingParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    UnpoolMethod: Enum
    MAX: int
    AVE: int
    TILE: int
    STOCHASTIC: int
    unpool: int
    kernel_size: int
    stride: int
    pad: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    engine: int
    unpool_size: int
    unpool_h: int
    unpool_w: int
    def __init__(self, *, unpool: int | str = ..., kernel_size: int = ..., stride: int = ..., pad: int = ...,
        kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ..., stride_w: int = ..., pad_h: int = ...,
        pad_w: int = ..., engine: int | str = ..., unpool_size: int = ..., unpool_h: int = ...,
        unpool_w: int = ...) -> None: ...

class UnsupervisedInitialization(Message):
    type: str
    max_iterations: int
    num_batches: int
    prob_choose_centroid: float
    use_kmeans_plus_plus: bool
    use_centroids_variance: bool
    apply_whitening: bool
    fudge_factor: float
    soft_kmeans: bool
    zca_whitening: bool
    soft_assignment: bool
    labeling_density_lambda: float
    def __init__(self, *, type: str = ..., max_iterations: int = ..., num_batches: int = ...,
        prob_choose_centroid: float = ..., use_kmeans_plus_plus: bool = ...,
        use_centroids_variance: bool = ..., apply_whitening: bool = ..., fudge_factor: float = ...,
        soft_kmeans: bool = ..., zca_whitening: bool = ..., soft_assignment: bool = ...,
        labeling_density_lambda: float = ...) -> None: ...

class UpsampleParameter(Message):
    UpsampleOp: Enum
    NEAREST: int
    BILINEAR: int
    scale: int
    scale_h: int
    scale_w: int
    pad_out_h: bool
    pad_out_w: bool
    upsample_h: int
    upsample_w: int
    height: int
    width: int
    height_scale: int
    width_scale: int
    mode: int
    def __init__(self, *, scale: int = ..., scale_h: int = ..., scale_w: int = ..., pad_out_h: bool = ...,
        pad_out_w: bool = ..., upsample_h: int = ..., upsample_w: int = ..., height: int = ...,
        width: int = ..., height_scale: int = ..., width_scale: int = ..., mode: int | str = ...) -> None: ...

class UpsamplingParameter(Message):
    kernel_size: int
    kernel_h: int
    kernel_w: int
    def __init__(self, *, kernel_size: int = ..., kernel_h: int = ..., kernel_w: int = ...) -> None: ...

class VideoDataParameter(Message):
    Modality: Enum
    RGB: int
    FLOW: int
    VideoType: Enum
    WEBCAM: int
    VIDEO: int
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    root_folder: str
    new_length: int
    show_data: bool
    use_image: bool
    use_temporal_jitter: bool
    sampling_rate: int
    max_sampling_rate: int
    use_sampling_rate_jitter: bool
    use_multiple_label: bool
    num_of_labels: int
    video_type: int
    device_id: int
    video_file: str
    skip_frames: int
    num_segments: int
    modality: int
    name_pattern: str
    encoded: bool
    grayscale: bool
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ..., is_color: bool = ..., root_folder: str = ...,
        new_length: int = ..., show_data: bool = ..., use_image: bool = ..., use_temporal_jitter: bool = ...,
        sampling_rate: int = ..., max_sampling_rate: int = ..., use_sampling_rate_jitter: bool = ...,
        use_multiple_label: bool = ..., num_of_labels: int = ..., video_type: int | str = ...,
        device_id: int = ..., video_file: str = ..., skip_frames: int = ..., num_segments: int = ...,
        modality: int | str = ..., name_pattern: str = ..., encoded: bool = ...,
        grayscale: bool = ...) -> None: ...

class VideoUnrollParameter(Message):
    frame_channels: int
    def __init__(self, *, frame_channels: int = ...) -> None: ...

class WeightedEuclideanLossParameter(Message):
    weight_label: float
    weight_value: float
    def __init__(self, *, weight_label: float = ..., weight_value: float = ...) -> None: ...

class WeightedFmeasureLossParameter(Message):
    margin: float
    avg_fm: bool
    def __init__(self, *, margin: float = ..., avg_fm: bool = ...) -> None: ...

class WeightEuclideanLossParameter(Message):
    main_weight: float
    contour_weight: float
    coarse_weight: float
    normalized: bool
    def __init__(self, *, main_weight: float = ..., contour_weight: float = ..., coarse_weight: float = ...,
        normalized: bool = ...) -> None: ...

class WellLossParameter(Message):
    slope: float
    low_bound: float
    high_bound: float
    def __init__(self, *, slope: float = ..., low_bound: float = ..., high_bound: float = ...) -> None: ...

class WindowClsDataParameter(Message):
    label_dim: int
    def __init__(self, *, label_dim: int = ...) -> None: ...

class WordSumParameter(Message):
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class WordvecParameter(Message):
    dimension: int
    vocab_size: int
    weight_filler: FillerParameter
    def __init__(self, *, dimension: int = ..., vocab_size: int = ...,
        weight_filler: FillerParameter | Fields = ...) -> None: ...

class WriterParameter(Message):
    file: str
    folder: str
    prefix: str
    suffix: str
    normalize: bool
    scale: float
    def __init__(self, *, file: str = ..., folder: str = ..., prefix: str = ..., suffix: str = ...,
        normalize: bool = ..., scale: float = ...) -> None: ...

class WSplitParameter(Message):
    weight: float
    def __init__(self, *, weight: float = ...) -> None: ...

class YoloDetectionOutputParameter(Message):
    side: int
    num_classes: int
    num_box: int
    coords: int
    confidence_threshold: float
    nms_threshold: float
    biases: Scalars[float]
    label_map_file: str
    def __init__(self, *, side: int = ..., num_classes: int = ..., num_box: int = ..., coords: int = ...,
        confidence_threshold: float = ..., nms_threshold: float = ..., biases: Iterable[float] = ...,
        label_map_file: str = ...) -> None: ...

class YoloSegParameter(Message):
    num_class: int
    object_scale: float
    class_scale: float
    use_logic_gradient: bool
    use_hardsigmoid: bool
    def __init__(self, *, num_class: int = ..., object_scale: float = ..., class_scale: float = ...,
        use_logic_gradient: bool = ..., use_hardsigmoid: bool = ...) -> None: ...

class Yolov3DetectionOutputParameter(Message):
    num_classes: int
    num_box: int
    confidence_threshold: float
    nms_threshold: float
    biases: Scalars[float]
    anchors_scale: Scalars[int]
    mask_group_num: int
    mask: Scalars[int]
    gaussian_box: bool
    def __init__(self, *, num_classes: int = ..., num_box: int = ..., confidence_threshold: float = ...,
        nms_threshold: float = ..., biases: Iterable[float] = ..., anchors_scale: Iterable[int] = ...,
        mask_group_num: int = ..., mask: Iterable[int] = ..., gaussian_box: bool = ...) -> None: ...

class Yolov3Parameter(Message):
    ARC: Enum
    DEFAULT: int
    BCE: int
    CE: int
    IOU_LOSS: Enum
    IOU: int
    GIOU: int
    MSE: int
    DIOU: int
    CIOU: int
    side: int
    num_class: int
    num: int
    object_scale: float
    class_scale: float
    noobject_scale: float
    coord_scale: float
    thresh: float
    anchors_scale: int
    biases: Scalars[float]
    mask: Scalars[int]
    use_logic_gradient: bool
    use_focal_loss: bool
    iou_loss: int
    iou_normalizer: float
    iou_thresh: float
    max_delta: float
    accumulate: bool
    label_smooth_eps: float
    arc: int
    def __init__(self, *, side: int = ..., num_class: int = ..., num: int = ..., object_scale: float = ...,
        class_scale: float = ..., noobject_scale: float = ..., coord_scale: float = ..., thresh: float = ...,
        anchors_scale: int = ..., biases: Iterable[float] = ..., mask: Iterable[int] = ...,
        use_logic_gradient: bool = ..., use_focal_loss: bool = ..., iou_loss: int | str = ...,
        iou_normalizer: float = ..., iou_thresh: float = ..., max_delta: float = ..., accumulate: bool = ...,
        label_smooth_eps: float = ..., arc: int | str = ...) -> None: ...
